//! Starts servers of other projects, as Debian packages them, with a directory and a configuration
//! of their own.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use thiserror::Error;

use crate::certificate::Identity;
use crate::process_group::{ProcessGroup, Shutdown, find_program};

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How many bytes of a server's log an error shows: the last ones.
const SHOWN_OUTPUT: usize = 2000;

/// Why a server does not run.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// The program is not installed.
    #[error("{program} is not installed: apt-get install {package}")]
    Missing {
        /// The program.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// The program is not unpacked, nor installed.
    #[error("{program} is not there: ./scripts/unpack {packages}")]
    NotUnpacked {
        /// The program.
        program: &'static str,
        /// The Debian packages that have it.
        packages: &'static str,
    },
    /// The program ended, or was not ready in time.
    #[error("{program} does not start; its output: {output}")]
    NotStarted {
        /// The program.
        program: &'static str,
        /// The end of its output.
        output: String,
    },
    /// A system call failed.
    #[error("a server cannot be started")]
    System(#[from] io::Error),
}

/// A server's temporary directory: its certificate, its log, and what it writes.
#[derive(Debug)]
pub(crate) struct ServerDir {
    dir: TempDir,
    /// The user who owns it and whom root runs the server as.
    owner: Option<&'static str>,
}

impl ServerDir {
    /// Creates one. `owner` is for a server that does not run as root; it is ignored unless this
    /// process is root's.
    pub(crate) fn new(owner: Option<&'static str>) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o711))?;
        let owner = owner.filter(|_| is_root());
        let dir = Self { dir, owner };
        dir.give_to_owner(dir.path())?;
        Ok(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file that only the server's user may read.
    pub(crate) fn write(&self, name: &str, contents: &str) -> io::Result<PathBuf> {
        let path = self.join(name);
        fs::write(&path, contents)?;
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
        self.give_to_owner(&path)?;
        Ok(path)
    }

    /// Writes `cert.pem` and `key.pem`.
    pub(crate) fn write_identity(&self, identity: &Identity) -> io::Result<()> {
        self.write("cert.pem", &identity.chain_pem())?;
        self.write("key.pem", &identity.key_pem())?;
        Ok(())
    }

    /// A command that runs a program as the owner, in a process group of its own.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = if let Some(owner) = self.owner {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", owner, "--regid", owner, "--clear-groups", "--"]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        command.process_group(0);
        command
    }

    /// The server's output so far.
    pub(crate) fn log(&self) -> io::Result<String> {
        self.read("log")
    }

    pub(crate) fn read(&self, name: &str) -> io::Result<String> {
        fs::read_to_string(self.join(name))
    }

    fn give_to_owner(&self, path: &Path) -> io::Result<()> {
        match self.owner {
            Some(owner) => chown(path, Some(user_id(owner)?), None),
            None => Ok(()),
        }
    }

    /// Starts a server that logs into this directory, and waits until it is ready.
    pub(crate) fn start(
        &self,
        program: &'static str,
        command: &mut Command,
        shutdown: Shutdown,
        is_ready: impl Fn() -> bool,
    ) -> Result<ProcessGroup, DaemonError> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.join("log"))?;
        let (out, err) = (Stdio::from(log.try_clone()?), Stdio::from(log));
        let mut server = ProcessGroup::start(command.stdout(out).stderr(err), shutdown)?;
        let deadline = Instant::now() + START_TIMEOUT;
        while !is_ready() {
            if server.exit_status()?.is_some() || Instant::now() > deadline {
                let log = self.log()?;
                let start = log.len().saturating_sub(SHOWN_OUTPUT);
                let output = String::from_utf8_lossy(&log.as_bytes()[start..]).into_owned();
                return Err(DaemonError::NotStarted { program, output });
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }
}

/// Reads a server's log until it has this many entries, ten seconds at most: a server writes it after
/// it has answered. Returns those that it has then.
pub(crate) fn wait_for<T>(
    count: usize,
    read: impl Fn() -> io::Result<Vec<T>>,
) -> io::Result<Vec<T>> {
    const TIMEOUT: Duration = Duration::from_secs(10);
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let entries = read()?;
        if entries.len() >= count || Instant::now() > deadline {
            return Ok(entries);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether this process is root's.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

pub(crate) fn user_id(user: &str) -> io::Result<u32> {
    let output = Command::new("id").args(["-u", user]).output()?.stdout;
    let id = String::from_utf8_lossy(&output);
    id.trim().parse().map_err(io::Error::other)
}

/// The path of a program; an error that names its package if it is not installed.
pub(crate) fn require_program(
    program: &'static str,
    package: &'static str,
) -> Result<PathBuf, DaemonError> {
    find_program(program).ok_or(DaemonError::Missing { program, package })
}

/// The directory in which `scripts/unpack` puts packages.
pub(crate) fn unpacked() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debian")
}

/// Whether a server listens on this port of 127.0.0.1.
pub(crate) fn is_listening(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}
