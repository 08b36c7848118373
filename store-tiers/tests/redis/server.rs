//! A real Redis for a test: on a free port, in a directory of its own, killed at the end.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use redis::{Connection, FromRedisValue};

/// More than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// `redis-server`, or what the environment variable `REDIS_SERVER` names, such as `valkey-server`.
pub(crate) struct Server {
    child: Child,
    dir: tempfile::TempDir,
    port: u16,
    config: Vec<String>,
    sign_in: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// With these options of its command line, separated by blanks.
    pub(crate) fn with(config: &str) -> Self {
        Self::on(free_port(), config)
    }

    pub(crate) fn on(port: u16, config: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let config: Vec<String> = config.split_whitespace().map(str::to_owned).collect();
        let password = config.iter().position(|word| word == "--requirepass");
        let sign_in = password.map_or(String::new(), |at| format!(":{}@", config[at + 1]));
        let child = launch(dir.path(), port, &config);
        let server = Self {
            child,
            dir,
            port,
            config,
            sign_in,
        };
        server.wait();
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}127.0.0.1:{}", self.sign_in, self.port)
    }

    /// A connection beside that of the tier.
    pub(crate) fn connect(&self) -> Connection {
        self.try_connect().expect("redis answers")
    }

    fn try_connect(&self) -> redis::RedisResult<Connection> {
        redis::Client::open(self.url())?.get_connection_with_timeout(PATIENCE)
    }

    /// What Redis answers to this command, its words separated by blanks.
    pub(crate) fn ask<T: FromRedisValue>(&self, command: &str) -> T {
        ask(&mut self.connect(), command)
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.ask("KEYS *")
    }

    /// The only key that ends so.
    pub(crate) fn key(&self, part: &str) -> String {
        let keys = self.keys();
        let mut of = keys.iter().filter(|key| key.contains(part));
        let key = of.next().unwrap_or_else(|| panic!("no {part} in {keys:?}"));
        assert_eq!(of.next(), None, "one {part}");
        key.clone()
    }

    /// A number of `INFO`.
    pub(crate) fn info(&self, section: &str, field: &str) -> u64 {
        info(&mut self.connect(), section, field)
    }

    /// Kills it as a crash does: it writes nothing more.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it ends");
    }

    /// Starts it again after [`kill`](Self::kill), on the same port and with what it had saved.
    pub(crate) fn restart(&mut self) {
        self.child = launch(self.dir.path(), self.port, &self.config);
        self.wait();
    }

    fn wait(&self) {
        eventually("redis starts", || {
            let answer = self.try_connect().map(|mut it| {
                let pong: redis::RedisResult<String> = redis::cmd("PING").query(&mut it);
                pong.is_ok()
            });
            answer.unwrap_or(false)
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(dir: &Path, port: u16, config: &[String]) -> Child {
    let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| String::from("redis-server"));
    Command::new(&program)
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args([
            "--save",
            "",
            "--rdbcompression",
            "no",
            "--repl-diskless-sync-delay",
            "0",
        ])
        .arg("--dir")
        .arg(dir)
        .args(config)
        .stdout(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{program} does not start ({error}): apt-get install redis-server")
        })
}

/// A port that nobody in this process gets again, below those that the system gives to outgoing
/// connections: it stays free while a server is down.
pub(crate) fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    loop {
        let tried = std::process::id() * 100 + TRIED.fetch_add(1, Ordering::SeqCst);
        let port = u16::try_from(12_000 + tried % 20_000).expect("at most 31,999");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub(crate) fn ask<T: FromRedisValue>(connection: &mut Connection, command: &str) -> T {
    let mut words = command.split_whitespace();
    let mut cmd = redis::cmd(words.next().expect("a command"));
    words.for_each(|word| {
        cmd.arg(word);
    });
    let answer = cmd.query(connection);
    answer.unwrap_or_else(|error| panic!("{command}: {error}"))
}

pub(crate) fn info(connection: &mut Connection, section: &str, field: &str) -> u64 {
    let info: String = ask(connection, &format!("INFO {section}"));
    let value = info.lines().find_map(|line| line.strip_prefix(field));
    let digits = value.unwrap_or(":0")[1..].trim_start_matches("calls=");
    let end = digits.find(|it: char| !it.is_ascii_digit());
    digits[..end.unwrap_or(digits.len())]
        .parse()
        .expect("a number")
}

/// Waits until this holds, longer than it can take.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "never: {what}");
        sleep(Duration::from_millis(10));
    }
}
