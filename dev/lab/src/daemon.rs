//! Servers of others, as Debian has them: each with files and a configuration of its own.

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
use crate::process::{End, Process, find};

/// More than it takes to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of what it says is shown when it does not start.
const LAST_WORDS: usize = 2000;

/// Why there is no server.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// It is not installed.
    #[error("there is no {program}: apt-get install {package}")]
    Missing {
        /// What was looked for.
        program: &'static str,
        /// Debian's package that has it.
        package: &'static str,
    },
    /// It refuses.
    #[error("{program} does not start; it says: {said}")]
    Refuses {
        /// What was called.
        program: &'static str,
        /// The last of what it has said.
        said: String,
    },
    /// The system refuses.
    #[error("a server cannot be started")]
    System(#[from] io::Error),
}

/// A directory of a server's: certificates, what it says, and what it writes. Gone at the end.
#[derive(Debug)]
pub(crate) struct Room {
    dir: TempDir,
    /// Whose it is: the user whom the server is run as by root.
    owner: Option<&'static str>,
}

impl Room {
    /// For a server that refuses to be root, if there is an `owner`.
    pub(crate) fn new(owner: Option<&'static str>) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o711))?;
        let owner = owner.filter(|_| is_root());
        let room = Self { dir, owner };
        room.give(room.path())?;
        Ok(room)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file that the server alone may read.
    pub(crate) fn write(&self, name: &str, contents: &str) -> io::Result<PathBuf> {
        let path = self.file(name);
        fs::write(&path, contents)?;
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
        self.give(&path)?;
        Ok(path)
    }

    /// Writes `cert.pem` and `key.pem`.
    pub(crate) fn identify(&self, identity: &Identity) -> io::Result<()> {
        self.write("cert.pem", &identity.chain_pem())?;
        self.write("key.pem", &identity.key_pem())?;
        Ok(())
    }

    /// Runs a program as the owner, in a group of its own.
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

    /// What the server has said so far.
    pub(crate) fn log(&self) -> io::Result<String> {
        fs::read_to_string(self.file("log"))
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        match self.owner {
            Some(owner) => chown(path, Some(number(owner)?), None),
            None => Ok(()),
        }
    }

    /// Starts a server, and waits until it is ready. What it says goes into its log.
    pub(crate) fn start(
        &self,
        program: &'static str,
        command: &mut Command,
        end: End,
        is_ready: impl Fn() -> bool,
    ) -> Result<Process, DaemonError> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.file("log"))?;
        let (out, err) = (Stdio::from(log.try_clone()?), Stdio::from(log));
        let mut process = Process::start(command.stdout(out).stderr(err), end)?;
        let until = Instant::now() + PATIENCE;
        while !is_ready() {
            if process.ended()?.is_some() || Instant::now() > until {
                let log = self.log()?;
                let start = log.len().saturating_sub(LAST_WORDS);
                let said = String::from_utf8_lossy(&log.as_bytes()[start..]).into_owned();
                return Err(DaemonError::Refuses { program, said });
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(process)
    }
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|ours| ours.uid() == 0)
}

/// The number of a user.
fn number(user: &str) -> io::Result<u32> {
    let said = Command::new("id").args(["-u", user]).output()?.stdout;
    let number = String::from_utf8_lossy(&said);
    number.trim().parse().map_err(io::Error::other)
}

/// Where a program is.
pub(crate) fn installed(
    program: &'static str,
    package: &'static str,
) -> Result<PathBuf, DaemonError> {
    find(program).ok_or(DaemonError::Missing { program, package })
}

/// Whether somebody listens.
pub(crate) fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}
