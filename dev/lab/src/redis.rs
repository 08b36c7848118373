//! A Redis of one's own: on a free port of 127.0.0.1, in a directory of its own, gone at the end.
//!
//! ```no_run
//! let redis = lab::redis::RedisServer::start()?;
//! assert_eq!(redis.ask("SET answer 42")?, b"+OK\r\n");
//! println!("{}", redis.url());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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

use crate::process::{End, Process, find};
use crate::tcp::free_port;

/// More than it takes to start, or to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many ports are tried: somebody may take the one that was free.
const TRIES: usize = 5;
/// What Redis says when there is nothing to say.
const OK: &[u8] = b"+OK\r\n";

/// The program that is Redis here: `redis-server`, or what the environment variable `REDIS_SERVER`
/// names, such as `valkey-server`.
pub fn program() -> String {
    env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

/// Whether there is such a [`program`].
pub fn is_installed() -> bool {
    find(&program()).is_some()
}

/// Why there is no Redis.
#[derive(Debug, Error)]
pub enum RedisServerError {
    /// It is not installed.
    #[error("there is no {0}: apt-get install redis-server")]
    Missing(String),
    /// The system or the program itself refuses.
    #[error("{program} does not start: {source}")]
    Start {
        /// What was called.
        program: String,
        /// What is wrong.
        source: io::Error,
    },
}

/// What is started, and how.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// The program, [`program`] unless told otherwise.
    pub program: String,
    /// The port, a [`free_port`] unless told otherwise.
    pub port: Option<u16>,
    /// More of its command line, a word each.
    pub options: Vec<String>,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            program: program(),
            port: None,
            options: Vec::new(),
        }
    }
}

impl RedisSettings {
    fn password(&self) -> Option<&str> {
        let mut words = self.options.iter();
        words.find(|word| *word == "--requirepass")?;
        words.next().map(String::as_str)
    }
}

/// A Redis that keeps what it has in memory, and writes it down only when it is told to. Dropping it
/// kills it, and so does the end of this process.
#[derive(Debug)]
pub struct RedisServer {
    process: Process,
    port: u16,
    settings: RedisSettings,
    dir: TempDir,
}

impl RedisServer {
    /// Starts one, and waits until it answers.
    pub fn start() -> Result<Self, RedisServerError> {
        Self::start_with(RedisSettings::default())
    }

    /// The same with settings of the caller's.
    pub fn start_with(settings: RedisSettings) -> Result<Self, RedisServerError> {
        let tries = settings.port.map_or(TRIES, |_| 1);
        let mut started = Self::try_start(&settings);
        for _ in 1..tries {
            // It has ended by itself: for want of its port, perhaps.
            if !matches!(&started, Err(error) if error.kind() == io::ErrorKind::Other) {
                break;
            }
            started = Self::try_start(&settings);
        }
        started.map_err(|error| because(error, settings.program))
    }

    fn try_start(settings: &RedisSettings) -> io::Result<Self> {
        let dir = tempfile::tempdir().map_err(io::Error::other)?; // it is not Redis that is missing
        let port = settings.port.map_or_else(free_port, Ok)?;
        let mut server = Self {
            process: spawn(settings, port, dir.path())?,
            port,
            settings: settings.clone(),
            dir,
        };
        server.wait()?;
        Ok(server)
    }

    fn wait(&mut self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        while !self.is_ready() {
            if let Some(status) = self.process.ended()? {
                return Err(io::Error::other(format!("it ended with {status}")));
            }
            if Instant::now() > until {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Whether it answers, and not another one on the same port.
    fn is_ready(&self) -> bool {
        let answer = self.ask("PING\r\nINFO server").unwrap_or_default();
        let info = String::from_utf8_lossy(&answer);
        let id = format!("process_id:{}", self.id());
        info.starts_with("+PONG") && info.lines().any(|line| line == id)
    }

    /// Where sessions are shared by it, with its password if the options have one.
    pub fn url(&self) -> String {
        let password = self.settings.password();
        let sign_in = password.map_or_else(String::new, |word| format!(":{word}@"));
        format!("redis://{sign_in}127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of its process, for signals.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The directory that it writes to.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What it answers to a command on one line, in its own protocol.
    pub fn ask(&self, command: &str) -> io::Result<Vec<u8>> {
        let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        if let Some(password) = self.settings.password() {
            write!(tcp, "AUTH {password}\r\n")?;
            tcp.read_exact(&mut [0; OK.len()])?;
        }
        write!(tcp, "{command}\r\nQUIT\r\n")?;
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer)?;
        let farewell = answer.len().saturating_sub(OK.len());
        if answer.split_off(farewell) == OK {
            Ok(answer)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// Has it write down all that it keeps, uncompressed, and reads that.
    pub fn dump(&self) -> io::Result<Vec<u8>> {
        let answer = self.ask("SAVE")?;
        if answer != OK {
            return Err(io::Error::other(String::from_utf8_lossy(&answer)));
        }
        fs::read(self.dir().join("dump.rdb"))
    }

    /// Kills it as a crash does: it writes nothing more.
    pub fn kill(&mut self) {
        self.process.end();
    }

    /// Kills it, and starts it again on the same port with what it had written down.
    pub fn restart(&mut self) -> Result<(), RedisServerError> {
        self.kill();
        spawn(&self.settings, self.port, self.dir.path())
            .and_then(|process| {
                self.process = process;
                self.wait()
            })
            .map_err(|error| because(error, self.settings.program.clone()))
    }
}

/// The directory is Redis's to write to.
fn spawn(settings: &RedisSettings, port: u16, dir: &Path) -> io::Result<Process> {
    let mut redis = Command::new(&settings.program);
    redis
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--rdbcompression", "no", "--dir"])
        .arg(dir)
        .args(&settings.options)
        .stdout(Stdio::null())
        .process_group(0);
    Process::start(&mut redis, End::Kill)
}

fn because(source: io::Error, program: String) -> RedisServerError {
    match source.kind() {
        io::ErrorKind::NotFound => RedisServerError::Missing(program),
        _ => RedisServerError::Start { program, source },
    }
}
