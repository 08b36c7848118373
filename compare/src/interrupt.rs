//! Ctrl-C: what is finished stays, and what is under way is given up.
//!
//! The first SIGINT, SIGTERM or SIGHUP sets a flag. Whoever is at work looks at it a few times
//! a second and unwinds, so that children end and directories for temporary files go; the second one
//! ends the program at once.

use std::any::Any;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::Error;

static ASKED: AtomicBool = AtomicBool::new(false);

/// What unwinds the work.
struct Interrupted;

/// From now on, the first signal that asks the program to end is not the end of it, but does what
/// `first` says. Once in a program.
pub(crate) fn listen(first: impl Fn() + Send + 'static) -> Result<(), Error> {
    let cannot = |error| Error::Setup(format!("cannot listen to Ctrl-C: {error}"));
    let wanted = [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(|signal| !is_ignored(*signal));
    let mut signals = Signals::new(wanted).map_err(cannot)?;
    let listener = move || {
        for _ in &mut signals {
            if ASKED.swap(true, Ordering::Relaxed) {
                end_at_once();
            }
            first();
        }
    };
    let thread = thread::Builder::new().name("signals".to_owned());
    thread.spawn(listener).map_err(cannot)?;
    Ok(())
}

/// Whether whoever started the program wants it to go on despite this signal, as `nohup` does.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Without what a program does when it exits: other threads are at work in libraries that would be
/// taken down under them.
fn end_at_once() {
    #[cfg(unix)]
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    #[cfg(not(unix))]
    std::process::abort();
}

/// Whether the program was asked to end.
pub(crate) fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Gives up what is under way if the program was asked to end; see [`unless_asked`].
pub(crate) fn check() {
    if is_asked() {
        resume_unwind(Box::new(Interrupted)); // without a message: it is no bug
    }
}

/// Does the work; nothing if the program was asked to end meanwhile. Children got the same Ctrl-C,
/// so that what comes of their end is not to be believed.
pub(crate) fn unless_asked<T>(work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => (!is_asked()).then_some(done),
        Err(panic) if is_asked() || is_ours(&*panic) => None,
        Err(panic) => resume_unwind(panic),
    }
}

fn is_ours(panic: &(dyn Any + Send)) -> bool {
    panic.is::<Interrupted>()
}
