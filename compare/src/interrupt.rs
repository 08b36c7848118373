//! Ctrl-C: finished sections stay, and the current one is abandoned.
//!
//! The first SIGINT, SIGTERM or SIGHUP sets a flag. Work in progress checks it several times a second
//! and unwinds, so that child processes end and temporary directories are removed. The second signal
//! kills the program at once.

use std::any::Any;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::Error;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// The panic payload that unwinds the work.
struct Interrupted;

/// Handles the signals from now on: the first one sets the flag and calls `on_first`. To be called
/// once in a program.
pub(crate) fn install(on_first: impl Fn() + Send + 'static) -> Result<(), Error> {
    let cannot = |error| Error::Setup(format!("cannot handle Ctrl-C: {error}"));
    let handled = [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(|signal| !is_ignored(*signal));
    let mut signals = Signals::new(handled).map_err(cannot)?;
    let listener = move || {
        for _ in &mut signals {
            if REQUESTED.swap(true, Ordering::Relaxed) {
                kill_self();
            }
            on_first();
        }
    };
    let thread = thread::Builder::new().name("signals".to_owned());
    thread.spawn(listener).map_err(cannot)?;
    Ok(())
}

/// Whether the program was started with this signal ignored, as `nohup` does with SIGHUP.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Ends the program without exit handlers, which would tear down libraries that other threads use.
fn kill_self() {
    #[cfg(unix)]
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    #[cfg(not(unix))]
    std::process::abort();
}

/// Whether a signal has requested the end of the program.
pub(crate) fn is_requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Unwinds if an interruption was requested; see [`catch`].
pub(crate) fn check() {
    if is_requested() {
        resume_unwind(Box::new(Interrupted)); // prints no message, unlike panic!
    }
}

/// Does the work. Returns `None` if an interruption was requested meanwhile, even if the work came to
/// its end: child processes get the same Ctrl-C, so their results are not valid.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => (!is_requested()).then_some(done),
        Err(panic) if is_requested() || is_interruption(&*panic) => None,
        Err(panic) => resume_unwind(panic),
    }
}

fn is_interruption(panic: &(dyn Any + Send)) -> bool {
    panic.is::<Interrupted>()
}
