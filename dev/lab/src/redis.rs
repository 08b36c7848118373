//! A Redis server for a test: on a free port of 127.0.0.1, with a temporary directory.
//!
//! ```no_run
//! let redis = lab::redis::RedisServer::start()?;
//! assert_eq!(redis.ask("SET answer 42")?, b"+OK\r\n");
//! println!("{}", redis.url());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cluster;
mod sentinel;

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use thiserror::Error;

use crate::process_group::{ProcessGroup, Shutdown, find_program};
use crate::tcp::free_port;

pub use self::cluster::{ClusterNode, RedisCluster};
pub use self::sentinel::SentinelGroup;

/// How long the server may take to start, or to answer a command.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How many ports are tried: another process may take a free one before Redis binds it.
const ATTEMPTS: usize = 5;
/// A positive reply without a value.
const OK: &[u8] = b"+OK\r\n";
/// The reply of a Sentinel to `QUIT`, which it does not know.
const NO_QUIT: &[u8] = b"-ERR unknown command 'QUIT', with args beginning with: \r\n";

/// The server program: the environment variable `REDIS_SERVER` (such as `valkey-server`), or
/// `redis-server`.
pub fn program() -> String {
    env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

/// Whether [`program`] is installed.
pub fn is_installed() -> bool {
    find_program(&program()).is_some()
}

/// Why a Redis server does not run.
#[derive(Debug, Error)]
pub enum RedisServerError {
    /// The program is not installed.
    #[error("{0} is not installed: apt-get install redis-server")]
    Missing(String),
    /// The program ended, was not ready in time, or could not be started by the system.
    #[error("{program} does not start: {source}")]
    Start {
        /// The program.
        program: String,
        /// The reason.
        source: io::Error,
    },
}

/// How a server is started.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// The program. Default: [`program`].
    pub program: String,
    /// The port. Default: a [`free_port`].
    pub port: Option<u16>,
    /// Additional command-line arguments.
    pub options: Vec<String>,
    /// Lines of a configuration file, if it needs one: it writes to it.
    pub config: Option<String>,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            program: program(),
            port: None,
            options: Vec::new(),
            config: None,
        }
    }
}

impl RedisSettings {
    fn password(&self) -> Option<&str> {
        let mut options = self.options.iter();
        options.find(|option| *option == "--requirepass")?;
        options.next().map(String::as_str)
    }
}

/// A running Redis server, which saves its data only by [`dump`](Self::dump). It is killed when
/// this is dropped or this process ends.
#[derive(Debug)]
pub struct RedisServer {
    process: ProcessGroup,
    port: u16,
    settings: RedisSettings,
    dir: TempDir,
}

impl RedisServer {
    /// Starts a server, and waits until it answers.
    pub fn start() -> Result<Self, RedisServerError> {
        Self::start_with(RedisSettings::default())
    }

    /// Starts a server with these settings, and waits until it answers.
    pub fn start_with(settings: RedisSettings) -> Result<Self, RedisServerError> {
        let attempts = settings.port.map_or(ATTEMPTS, |_| 1);
        let mut started = Self::try_start(&settings);
        for _ in 1..attempts {
            // The program has ended, perhaps because its port is taken.
            if !matches!(&started, Err(error) if error.kind() == io::ErrorKind::Other) {
                break;
            }
            started = Self::try_start(&settings);
        }
        started.map_err(|error| start_error(error, settings.program))
    }

    fn try_start(settings: &RedisSettings) -> io::Result<Self> {
        // `NotFound` is left to mean that the program is missing.
        let dir = tempfile::tempdir().map_err(io::Error::other)?;
        let port = settings.port.map_or_else(free_port, Ok)?;
        let mut server = Self {
            process: spawn(settings, port, dir.path())?,
            port,
            settings: settings.clone(),
            dir,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        while !self.is_ready() {
            if let Some(status) = self.process.exit_status()? {
                return Err(io::Error::other(format!("it ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Whether this process, and no other one on the same port, answers.
    fn is_ready(&self) -> bool {
        let answer = self.ask("PING\r\nINFO server").unwrap_or_default();
        let info = String::from_utf8_lossy(&answer);
        let id = format!("process_id:{}", self.id());
        info.starts_with("+PONG") && info.lines().any(|line| line == id)
    }

    /// Its `redis://` URL, with the password if the options set one.
    pub fn url(&self) -> String {
        let password = self.settings.password();
        let userinfo = password.map_or_else(String::new, |password| format!(":{password}@"));
        format!("redis://{userinfo}127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id, for signals.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its working directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Sends a command, on one line, and returns the encoded reply (RESP).
    pub fn ask(&self, command: &str) -> io::Result<Vec<u8>> {
        let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        tcp.set_read_timeout(Some(TIMEOUT))?;
        if let Some(password) = self.settings.password() {
            write!(tcp, "AUTH {password}\r\n")?;
            tcp.read_exact(&mut [0; OK.len()])?;
        }
        write!(tcp, "{command}\r\nQUIT\r\n")?;
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let read = tcp.read(&mut buffer)?;
            answer.extend_from_slice(&buffer[..read]);
            let end = if read == 0 { OK } else { NO_QUIT };
            if answer.ends_with(end) {
                answer.truncate(answer.len() - end.len());
                return Ok(answer);
            }
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Saves its data (`SAVE`), uncompressed, and returns the contents of the file.
    pub fn dump(&self) -> io::Result<Vec<u8>> {
        let answer = self.ask("SAVE")?;
        if answer != OK {
            return Err(io::Error::other(String::from_utf8_lossy(&answer)));
        }
        fs::read(self.dir().join("dump.rdb"))
    }

    /// Sends a command until the reply holds what is waited for, for 30 seconds at most.
    pub fn wait_for(
        &self,
        command: &str,
        mut holds: impl FnMut(&str) -> bool,
    ) -> io::Result<String> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let reply = String::from_utf8_lossy(&self.ask(command)?).into_owned();
            if holds(&reply) {
                return Ok(reply);
            }
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("{command} still says {reply}")));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it by `SIGSTOP`: it keeps its connections, and answers nothing.
    pub fn pause(&self) {
        self.process.signal("STOP");
    }

    /// Continues it after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.process.signal("CONT");
    }

    /// Cuts a replica off from its primary: it gets no further changes.
    pub fn stop_replication(&self) -> io::Result<()> {
        // It signs in with a password that the primary does not accept.
        self.ask("CONFIG SET masteruser nobody masterauth wrong")?;
        self.ask("CLIENT KILL TYPE master")?;
        let is_down = |info: &str| info.contains("master_link_status:down");
        self.wait_for("INFO replication", is_down)?;
        Ok(())
    }

    /// Kills it by `SIGKILL`: it saves nothing more.
    pub fn kill(&mut self) {
        self.process.end();
    }

    /// Kills it, and starts it again on the same port with the data that it had saved.
    pub fn restart(&mut self) -> Result<(), RedisServerError> {
        self.kill();
        spawn(&self.settings, self.port, self.dir.path())
            .and_then(|process| {
                self.process = process;
                self.wait_until_ready()
            })
            .map_err(|error| start_error(error, self.settings.program.clone()))
    }
}

/// Starts the program, which writes to `dir`.
fn spawn(settings: &RedisSettings, port: u16, dir: &Path) -> io::Result<ProcessGroup> {
    let mut redis = Command::new(&settings.program);
    if let Some(config) = &settings.config {
        let path = dir.join("redis.conf");
        if !path.exists() {
            fs::write(&path, config).map_err(io::Error::other)?;
        }
        redis.arg(path);
    }
    redis
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--rdbcompression", "no", "--dir"])
        .arg(dir)
        .args(&settings.options)
        .stdout(Stdio::null())
        .process_group(0);
    ProcessGroup::start(&mut redis, Shutdown::Kill)
}

fn start_error(source: io::Error, program: String) -> RedisServerError {
    match source.kind() {
        io::ErrorKind::NotFound => RedisServerError::Missing(program),
        _ => RedisServerError::Start { program, source },
    }
}
