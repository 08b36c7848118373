//! A Redis server for a test, and commands to inspect it.

use std::ops::{Deref, DerefMut};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab::redis::{RedisServer, RedisSettings};
use redis::{Connection, FromRedisValue};

/// A timeout that no operation reaches.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// A [`RedisServer`], which panics if it cannot start.
pub(crate) struct Server(RedisServer);

impl Server {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// Starts with command-line options, separated by spaces.
    pub(crate) fn with(options: &str) -> Self {
        Self::launch(None, options)
    }

    pub(crate) fn on(port: u16) -> Self {
        Self::launch(Some(port), "")
    }

    fn launch(port: Option<u16>, options: &str) -> Self {
        // By default, a full sync waits 5 s for further replicas.
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

    /// A connection other than the tier's.
    pub(crate) fn connect(&self) -> Connection {
        redis::Client::open(self.url())
            .and_then(|client| client.get_connection_with_timeout(TIMEOUT))
            .expect("redis answers")
    }

    /// Runs a command, its words separated by spaces.
    pub(crate) fn ask<T: FromRedisValue>(&self, command: &str) -> T {
        ask(&mut self.connect(), command)
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.ask("KEYS *")
    }

    /// The only key that contains `part`.
    pub(crate) fn key(&self, part: &str) -> String {
        let keys = self.keys();
        let mut matching = keys.iter().filter(|key| key.contains(part));
        let key = matching
            .next()
            .unwrap_or_else(|| panic!("no {part} in {keys:?}"));
        assert_eq!(matching.next(), None, "one {part}");
        key.clone()
    }

    /// A number in the reply to `INFO`.
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
    let reply = cmd.query(connection);
    reply.unwrap_or_else(|error| panic!("{command}: {error}"))
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

/// Waits until a condition holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + TIMEOUT;
    while !holds() {
        assert!(Instant::now() < until, "never: {what}");
        sleep(Duration::from_millis(10));
    }
}
