//! Processes that end with ours.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a process may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// How a process is brought to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// It is killed, as by a crash.
    Kill,
    /// It is asked to by a signal, since it has others to end or something to tidy up.
    Ask(&'static str),
}

/// A process that leads a group, which its children are in, and a shell that ends them when this
/// process is killed and drops nothing.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    guard: Option<Child>,
    end: End,
}

impl Process {
    /// Starts both; nothing is to be read by them. The command must have been told to lead a group,
    /// if it does not see to that itself.
    pub(crate) fn start(command: &mut Command, end: End) -> io::Result<Self> {
        let child = command.stdin(Stdio::null()).spawn()?;
        // Its input ends when we do. Where there is no shell, it goes without.
        let orders = match end {
            End::Kill => "read -r _; kill -s KILL -- \"-$0\"".to_owned(),
            End::Ask(signal) => {
                format!("read -r _; kill -s {signal} -- \"-$0\"; sleep 5; kill -s KILL -- \"-$0\"")
            }
        };
        let guard = Command::new("sh")
            .args(["-c", &orders, &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // what is typed at a terminal ends us, and not the guard
            .spawn()
            .ok();
        Ok(Self { child, guard, end })
    }

    /// The number of the process, for signals.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself, and how.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Ends both, the guard first: the number that it knows may be another process's afterwards.
    pub(crate) fn end(&mut self) {
        // What has ended by itself needs no end.
        if let Some(guard) = &mut self.guard {
            let _ = guard.kill();
            let _ = guard.wait();
        }
        if let (End::Ask(signal), Ok(None)) = (self.end, self.ended()) {
            self.signal(signal);
            let until = Instant::now() + GRACE;
            while Instant::now() < until && matches!(self.ended(), Ok(None)) {
                thread::sleep(Duration::from_millis(5));
            }
        }
        if matches!(self.ended(), Ok(None)) {
            self.signal("KILL");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal to the process and its children.
    fn signal(&self, signal: &str) {
        let orders = format!("kill -s {signal} -- -{}", self.id());
        let _ = Command::new("sh").args(["-c", &orders]).status();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where a program is: in the path, or where servers are for those who are not root too.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let mut programs = places.map(|place| place.join(program));
    programs.find(|program| program.is_file())
}
