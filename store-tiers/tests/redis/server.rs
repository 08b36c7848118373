//! A real Redis for a test, and what the test asks of it.

use std::ops::{Deref, DerefMut};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab::redis::{RedisServer, RedisSettings};
use redis::{Connection, FromRedisValue};

/// More than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A [`RedisServer`] that a test cannot do without, asked by the client that the tier uses.
pub(crate) struct Server(RedisServer);

impl Server {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// With these options of its command line, separated by blanks.
    pub(crate) fn with(options: &str) -> Self {
        Self::launch(None, options)
    }

    pub(crate) fn on(port: u16) -> Self {
        Self::launch(Some(port), "")
    }

    fn launch(port: Option<u16>, options: &str) -> Self {
        // A replica need not wait for others that may want the same.
        let words = ["--repl-diskless-sync-delay", "0"].into_iter();
        let settings = RedisSettings {
            port,
            options: words
                .chain(options.split_whitespace())
                .map(str::to_owned)
                .collect(),
            ..RedisSettings::default()
        };
        Self(RedisServer::start_with(settings).unwrap_or_else(|why| panic!("{why}")))
    }

    /// A connection beside that of the tier.
    pub(crate) fn connect(&self) -> Connection {
        redis::Client::open(self.url())
            .and_then(|client| client.get_connection_with_timeout(PATIENCE))
            .expect("redis answers")
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
}

impl Deref for Server {
    type Target = RedisServer;

    fn deref(&self) -> &RedisServer {
        &self.0
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut RedisServer {
        &mut self.0
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
