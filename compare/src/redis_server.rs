//! A Redis of our own: to measure on, and for tests.

use std::env;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use thiserror::Error;

/// How long it may take to start.
const START: Duration = Duration::from_secs(10);
/// How often another port is tried: somebody may take the one that was free.
const TRIES: usize = 5;

/// A `redis-server` on a free port of 127.0.0.1, in a directory of its own. Dropping it stops it.
#[derive(Debug)]
pub struct RedisServer {
    process: Child,
    port: u16,
    dir: TempDir,
}

/// Why there is none.
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
        /// What the system says.
        source: io::Error,
    },
}

/// The program to start: `redis-server`, or what the environment variable `REDIS_SERVER` names, such
/// as `valkey-server`.
pub fn program() -> String {
    env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

impl RedisServer {
    /// Starts this program, and waits until it answers.
    pub fn start(program: &str) -> Result<Self, RedisServerError> {
        let mut tries = 1;
        loop {
            match Self::try_start(program) {
                Ok(server) => return Ok(server),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(RedisServerError::Missing(program.to_owned()));
                }
                Err(source) if tries == TRIES => {
                    let program = program.to_owned();
                    return Err(RedisServerError::Start { program, source });
                }
                Err(_) => tries += 1,
            }
        }
    }

    fn try_start(program: &str) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = free.local_addr()?.port();
        drop(free);
        // It keeps what it has in memory, and writes it down when it is told to only.
        let process = Command::new(program)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no", "--rdbcompression", "no"])
            .arg("--dir")
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self { process, port, dir };
        server.wait()?;
        Ok(server)
    }

    fn wait(&mut self) -> io::Result<()> {
        let end = Instant::now() + START;
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Err(io::Error::other(format!("it ended with {status}")));
            }
            match self.ask("PING") {
                Ok(answer) if answer.starts_with(b"+PONG") => return Ok(()),
                _ if Instant::now() > end => return Err(io::ErrorKind::TimedOut.into()),
                _ => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Its address, as `--store` takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What it answers to a command on one line, in its own protocol.
    pub fn ask(&self, command: &str) -> io::Result<Vec<u8>> {
        let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        tcp.set_read_timeout(Some(START))?;
        tcp.write_all(format!("{command}\r\nQUIT\r\n").as_bytes())?;
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer)?;
        Ok(answer)
    }

    /// Has it write down all that it keeps, uncompressed, and reads that.
    pub fn dump(&self) -> io::Result<Vec<u8>> {
        self.ask("SAVE")?;
        std::fs::read(self.dir.path().join("dump.rdb"))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // What has ended by itself needs no end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
