//! A Redis of one's own, from its start to its end.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lab::redis::{RedisServer, RedisServerError, RedisSettings};
use lab::tcp::free_port;

/// Told to a child: start a Redis, say its port, and wait.
const ORDERS: &str = "LAB_TEST_REDIS";

fn with(options: &str) -> RedisSettings {
    RedisSettings {
        options: options.split_whitespace().map(str::to_owned).collect(),
        ..RedisSettings::default()
    }
}

#[test]
fn it_answers_until_it_is_dropped() {
    let redis = RedisServer::start().unwrap();
    assert_eq!(redis.ask("SET answer forty-two").unwrap(), b"+OK\r\n");
    assert_eq!(redis.ask("GET answer").unwrap(), b"$9\r\nforty-two\r\n");
    let dump = redis.dump().unwrap();
    assert!(dump.windows(9).any(|window| window == b"forty-two"));
    let (port, dir) = (redis.port(), redis.dir().to_owned());
    assert_eq!(redis.url(), format!("redis://127.0.0.1:{port}"));
    drop(redis);
    TcpListener::bind(("127.0.0.1", port)).expect("nobody listens");
    assert!(!dir.exists());
}

#[test]
fn a_crash_leaves_what_was_saved() {
    let mut redis = RedisServer::start_with(with("--requirepass opensesame")).unwrap();
    assert!(redis.url().starts_with("redis://:opensesame@127.0.0.1:"));
    redis.ask("SET saved 1").unwrap();
    redis.dump().unwrap();
    redis.ask("SET lost 1").unwrap();
    redis.kill();
    assert!(redis.ask("PING").is_err());
    redis.restart().unwrap();
    assert_eq!(redis.ask("EXISTS saved").unwrap(), b":1\r\n");
    assert_eq!(redis.ask("EXISTS lost").unwrap(), b":0\r\n");
}

#[test]
fn what_is_missing_can_be_installed_and_what_refuses_cannot() {
    let mut nowhere = RedisSettings::default();
    "/nowhere/redis-server".clone_into(&mut nowhere.program);
    let error = RedisServer::start_with(nowhere).unwrap_err();
    assert!(matches!(&error, RedisServerError::Missing(_)), "{error}");
    assert!(error.to_string().contains("apt-get install redis-server"));

    let refused = RedisSettings {
        port: Some(free_port().unwrap()), // one, and so one try
        ..with("--no-such-option 1")
    };
    let error = RedisServer::start_with(refused).unwrap_err();
    assert!(error.to_string().contains("it ended with"), "{error}");

    let first = RedisServer::start().unwrap();
    let taken = RedisSettings {
        port: Some(first.port()),
        ..RedisSettings::default()
    };
    let error = RedisServer::start_with(taken).expect_err("the first one answers there");
    assert!(matches!(error, RedisServerError::Start { .. }), "{error}");
}

#[test]
fn ports_are_given_out_once() {
    let (one, other) = (free_port().unwrap(), free_port().unwrap());
    assert_ne!(one, other);
}

#[test]
fn it_ends_with_a_process_that_is_killed() {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(ORDERS, "")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ports = lines.filter_map(|line| line.unwrap().strip_prefix("port ")?.parse().ok());
    let port: u16 = ports.next().expect("a port");
    assert!(TcpListener::bind(("127.0.0.1", port)).is_err(), "it runs");
    child.kill().unwrap();
    child.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while TcpListener::bind(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "it outlives its parent");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Not a test: what the child does. Without its orders, nothing.
#[test]
fn child() {
    if env::var_os(ORDERS).is_some() {
        let redis = RedisServer::start().unwrap();
        println!("\nport {}", redis.port());
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }
}
