//! A Redis of one's own: on a free port, in a folder of its own, stopped at the end.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longer than it takes to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running `redis-server`, or what the environment variable `REDIS_SERVER` names, such as
/// `valkey-server`. Dropping it kills it.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl RedisServer {
    /// Starts one that keeps nothing on disk. The error says what to do.
    pub fn start() -> io::Result<Self> {
        let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let child = Command::new(&program)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", ""])
            .current_dir(&folder)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| {
                let message =
                    format!("{program} does not start ({error}): apt-get install redis-server");
                io::Error::new(error.kind(), message)
            })?;
        let server = Self {
            child,
            port,
            _folder: folder,
        };
        server.wait(&program)?;
        Ok(server)
    }

    /// Where sessions are shared by it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its number, for signals.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn wait(&self, program: &str) -> io::Result<()> {
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if began.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("{program} does not answer")));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on, below those that the system gives to outgoing connections: what is
/// not started there is not there.
pub fn free_port() -> io::Result<u16> {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    loop {
        let tried = process::id() * 100 + TRIED.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(12_000 + tried % 20_000).map_err(io::Error::other)?;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
}
