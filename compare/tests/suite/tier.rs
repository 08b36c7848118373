//! `compare tier`.

use std::time::Duration;

use lab::redis::{RedisCluster, RedisServer};
use store_core::{Clock as _, KeyRef, SecurityDomain, SystemClock, Usage};
use store_tiers::redis::{RedisSettings, RedisTier};
use store_tiers::{KeyRing, Record, Sealed, Tier as _, key_file};

use super::program::{Ran, compare, directory};

/// Puts a record for each of these servers, sealed by `ring`, in the namespace of its key file.
fn put(url: &str, ring: &KeyRing, servers: &[&str]) {
    let now = SystemClock.now();
    let domain = SecurityDomain::builder("test").finish();
    let records = servers.iter().map(|server| {
        let key = KeyRef::new(&domain, server);
        let server = ring.server_id(key);
        let record = Record {
            key: key.to_key(),
            format: 7,
            usage: Usage::SingleUse,
            established: now,
            expires: now.after(Duration::from_secs(600)),
            facts: Vec::new(),
            session: b"session".to_vec().into(),
            address: None,
            application_data: None,
        };
        Sealed {
            server,
            usage: record.usage,
            expires: record.expires,
            bytes: ring.seal(&record, &server).expect("random numbers"),
        }
    });
    let long = Duration::from_secs(30);
    let settings = RedisSettings::default()
        .with_namespace(format!("tls-resume:{}", ring.tag()))
        .with_timeouts(long, long);
    let mut tier = RedisTier::new(url, &settings).expect("an address");
    tier.put(&records.collect::<Vec<_>>(), now)
        .expect("records");
}

fn tier(url: &str, keys: &std::path::Path) -> Ran {
    compare(&[
        "tier".as_ref(),
        url.as_ref(),
        "--store-keys".as_ref(),
        keys.as_os_str(),
    ])
}

#[test]
fn a_redis_is_looked_at() {
    let redis = RedisServer::start().expect("redis-server");
    let keys = directory("tier-keys").join("keys");
    let ring = key_file::read_or_create(&keys).expect("a key file");
    put(&redis.url(), &ring, &["a", "b"]);
    put(&redis.url(), &KeyRing::generate().expect("keys"), &["c"]);
    let ran = tier(&redis.url(), &keys);
    assert_eq!((ran.code, &*ran.err), (0, ""), "{}", ran.out);
    for text in [
        "version ",
        "2 records in 2 keys, by the time since their full handshake: 2 less than an hour",
        "0 keys of earlier runs, which expire; 1 keys of others",
    ] {
        assert!(ran.out.contains(text), "{text}: {}", ran.out);
    }

    let newer = ring.with_new_key().expect("a key").with_last_key_first();
    put(&redis.url(), &newer, &["d"]);
    let ran = tier(&redis.url(), &keys);
    assert_eq!(ran.code, 1, "{}", ran.out);
    let wrong = "wrong: 1 records are sealed with a key that is not in the file";
    assert!(ran.out.contains(wrong), "{}", ran.out);
}

#[test]
fn each_primary_of_a_cluster_is_looked_at() {
    let cluster = RedisCluster::start(3).expect("a cluster");
    let keys = directory("tier-cluster-keys").join("keys");
    let ring = key_file::read_or_create(&keys).expect("a key file");
    put(
        &cluster.url(),
        &ring,
        &["a", "b", "c", "d", "e", "f", "g", "h"],
    );
    let ran = tier(&cluster.url(), &keys);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    assert_eq!(ran.out.matches(": version ").count(), 3, "{}", ran.out);
    let counts = ran
        .out
        .lines()
        .filter_map(|line| line.split_once(" records in "));
    let counts = counts.map(|(count, _)| count.trim().parse::<usize>().expect("a number"));
    assert_eq!(counts.sum::<usize>(), 8, "{}", ran.out);
}

#[test]
fn bad_input_is_one_line_without_a_password() {
    let keys = directory("tier-bad").join("keys");
    let missing = tier("redis://:secret@127.0.0.1:1", &keys);
    assert_eq!(missing.code, 2);
    missing.one_line("keys");
    key_file::read_or_create(&keys).expect("a key file");
    for (url, code, text) in [
        ("redis:secret", 2, "redis-cluster://"),
        ("rediss://:secret@127.0.0.1:1", 2, "TLS"),
        ("redis://:secret@127.0.0.1:1", 1, "refused"),
    ] {
        let ran = tier(url, &keys);
        assert_eq!(ran.code, code, "{url}: {}", ran.err);
        assert!(!ran.one_line(text).contains("secret"), "{}", ran.err);
    }
}
