//! Child processes that end when this process ends.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a process may take to end after its signal, before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How a process group is ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shutdown {
    /// By `SIGKILL`.
    Kill,
    /// By this signal, such as `TERM`, and after [`GRACE`] by `SIGKILL`: for a program that has to
    /// end its children or to remove files.
    Signal(&'static str),
}

/// A process and its children, in a process group of their own. Dropping it ends them; a watchdog,
/// a shell, does so if this process is killed.
#[derive(Debug)]
pub(crate) struct ProcessGroup {
    leader: Child,
    /// `None` if there is no shell.
    watchdog: Option<Child>,
    shutdown: Shutdown,
}

impl ProcessGroup {
    /// Starts the program, without standard input, and its watchdog. The command must make the
    /// program the leader of a process group, unless the program does so itself.
    pub(crate) fn start(command: &mut Command, shutdown: Shutdown) -> io::Result<Self> {
        let leader = command.stdin(Stdio::null()).spawn()?;
        // `read` returns when this process ends, which closes the other end of the pipe.
        let script = match shutdown {
            Shutdown::Kill => "read -r _; kill -s KILL -- \"-$0\"".to_owned(),
            Shutdown::Signal(signal) => {
                format!("read -r _; kill -s {signal} -- \"-$0\"; sleep 5; kill -s KILL -- \"-$0\"")
            }
        };
        let watchdog = Command::new("sh")
            .args(["-c", &script, &leader.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // Ctrl-C must end this process and not the watchdog
            .spawn()
            .ok();
        Ok(Self {
            leader,
            watchdog,
            shutdown,
        })
    }

    /// The process id of the leader, which is the id of the group, too.
    pub(crate) fn id(&self) -> u32 {
        self.leader.id()
    }

    /// The leader's exit status, or `None` while it runs.
    pub(crate) fn exit_status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.leader.try_wait()
    }

    /// Ends the group, after its watchdog: once the leader has ended, its id may be given to
    /// another process, which the watchdog would kill.
    pub(crate) fn end(&mut self) {
        if let Some(watchdog) = &mut self.watchdog {
            let _ = watchdog.kill();
            let _ = watchdog.wait();
        }
        if let Shutdown::Signal(signal) = self.shutdown
            && self.is_running()
        {
            self.signal(signal);
            let deadline = Instant::now() + GRACE;
            while Instant::now() < deadline && self.is_running() {
                thread::sleep(Duration::from_millis(5));
            }
        }
        if self.is_running() {
            self.signal("KILL");
        }
        let _ = self.leader.kill();
        let _ = self.leader.wait();
    }

    fn is_running(&mut self) -> bool {
        matches!(self.exit_status(), Ok(None))
    }

    /// Sends a signal to the group.
    pub(crate) fn signal(&self, signal: &str) {
        let script = format!("kill -s {signal} -- -{}", self.id());
        let _ = Command::new("sh").args(["-c", &script]).status();
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.end();
    }
}

/// The path of a program in `PATH`, or in the directories of servers, which only root has in
/// `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let mut candidates = directories.map(|directory| directory.join(name));
    candidates.find(|candidate| candidate.is_file())
}
