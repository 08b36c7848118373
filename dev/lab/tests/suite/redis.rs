//! The Redis server of a test.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lab::redis::{RedisCluster, RedisServer, RedisServerError, RedisSettings, SentinelGroup};
use lab::tcp::free_port;

/// Makes the test [`child`] start a Redis, print its port, and wait.
const CHILD_VARIABLE: &str = "LAB_TEST_REDIS";

fn with_options(options: &str) -> RedisSettings {
    RedisSettings {
        options: options.split_whitespace().map(str::to_owned).collect(),
        ..RedisSettings::default()
    }
}

#[test]
fn a_server_answers_until_it_is_dropped() {
    let redis = RedisServer::start().unwrap();
    assert_eq!(redis.ask("SET answer forty-two").unwrap(), b"+OK\r\n");
    assert_eq!(redis.ask("GET answer").unwrap(), b"$9\r\nforty-two\r\n");
    let dump = redis.dump().unwrap();
    assert!(dump.windows(9).any(|window| window == b"forty-two"));
    let (port, dir) = (redis.port(), redis.dir().to_owned());
    assert_eq!(redis.url(), format!("redis://127.0.0.1:{port}"));
    drop(redis);
    TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    assert!(!dir.exists());
}

#[test]
fn a_restarted_server_has_the_saved_data() {
    let mut redis = RedisServer::start_with(with_options("--requirepass opensesame")).unwrap();
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
fn start_errors_say_whether_the_program_is_missing() {
    let mut missing = RedisSettings::default();
    "/nowhere/redis-server".clone_into(&mut missing.program);
    let error = RedisServer::start_with(missing).unwrap_err();
    assert!(matches!(&error, RedisServerError::Missing(_)), "{error}");
    assert!(error.to_string().contains("apt-get install redis-server"));

    let invalid = RedisSettings {
        port: Some(free_port().unwrap()), // a given port is tried once
        ..with_options("--no-such-option 1")
    };
    let error = RedisServer::start_with(invalid).unwrap_err();
    assert!(error.to_string().contains("it ended with"), "{error}");

    let first = RedisServer::start().unwrap();
    let taken = RedisSettings {
        port: Some(first.port()),
        ..RedisSettings::default()
    };
    let error = RedisServer::start_with(taken).expect_err("the port is taken");
    assert!(matches!(error, RedisServerError::Start { .. }), "{error}");
}

#[test]
fn free_ports_differ() {
    let (one, other) = (free_port().unwrap(), free_port().unwrap());
    assert_ne!(one, other);
}

#[test]
fn a_server_ends_when_its_process_is_killed() {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "redis::child", "--nocapture"])
        .env(CHILD_VARIABLE, "")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ports = lines.filter_map(|line| line.unwrap().strip_prefix("port ")?.parse().ok());
    let port: u16 = ports.next().expect("a port");
    assert!(
        TcpListener::bind(("127.0.0.1", port)).is_err(),
        "Redis runs"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpListener::bind(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "Redis outlives its parent");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Not a test by itself: the child of the test above. Does nothing without [`CHILD_VARIABLE`].
#[test]
fn child() {
    if env::var_os(CHILD_VARIABLE).is_some() {
        let redis = RedisServer::start().unwrap();
        println!("\nport {}", redis.port());
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }
}

/// The slot of the key `foo` is 12182: the third primary's.
#[test]
fn a_cluster_moves_slots_and_fails_over() {
    let mut cluster = RedisCluster::start(3).unwrap();
    let nodes = cluster.nodes();
    assert!(
        nodes[0]
            .ask("SET foo 1")
            .unwrap()
            .starts_with(b"-MOVED 12182")
    );
    assert_eq!(nodes[2].ask("SET foo 1").unwrap(), b"+OK\r\n");
    cluster.move_slot(12182, 2, 0).unwrap();
    nodes[2]
        .wait_for("GET foo", |reply| reply.starts_with("-MOVED"))
        .unwrap();
    assert_eq!(nodes[0].ask("GET foo").unwrap(), b"$1\r\n1\r\n");

    cluster.node_mut(0).kill();
    let promoted = &cluster.nodes()[3];
    let is_primary = |info: &str| info.contains("role:master");
    promoted.wait_for("INFO replication", is_primary).unwrap();
    cluster.wait_until_whole().unwrap();
    cluster.node_mut(0).restart().unwrap();
    let is_replica = |info: &str| info.contains("master_link_status:up");
    cluster.nodes()[0]
        .wait_for("INFO replication", is_replica)
        .unwrap();
}

#[test]
fn sentinels_replace_a_primary_that_is_paused() {
    let group = SentinelGroup::start().unwrap();
    assert!(group.url().starts_with("redis-sentinel://127.0.0.1:"));
    group.wait_for_primary(0).unwrap();
    group.servers()[0].pause();
    group.wait_for_primary(1).unwrap();
    group.servers()[0].resume();
    group.wait_until_whole().unwrap();
    group.fail_over().unwrap();
    group.wait_for_primary(0).unwrap();
}
