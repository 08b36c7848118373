//! Redis is there and refuses: full, or not for us. That is certain, and is said as such.

use redis::ConnectionLike as _;
use store_tiers::redis::{RedisError, RedisTier};
use store_tiers::{Tier as _, TierError};

use crate::proxy::Proxy;
use crate::server::{Server, eventually};
use crate::{hours, id, now, often, once, patient, take, tier};

fn not_done<T: std::fmt::Debug>(result: Result<T, TierError>, word: &str) -> String {
    match result {
        Err(TierError::NotApplied(text)) if text.contains(word) => text,
        other => panic!("{other:?} is not done and {word}"),
    }
}

#[test]
fn full_and_keeping_what_it_has() {
    let server = Server::with("--maxmemory-policy noeviction");
    let proxy = Proxy::before(server.port());
    let mut tier = RedisTier::new(&proxy.url(), &patient()).unwrap();
    tier.put(&[once("a", "before", hours(1))], now()).unwrap();
    server.ask::<()>("CONFIG SET maxmemory 1");
    let records = [once("a", "1", hours(1)), often("b", "2", hours(1))];
    for _ in 0..3 {
        not_done(tier.put(&records, now()), "OOM");
    }
    assert_eq!(server.keys().len(), 1, "not even a part of it");
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["before"]);
    server.ask::<()>("CONFIG SET maxmemory 0");
    tier.put(&records, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["1"]);
    assert_eq!(proxy.connections(), 1, "no reason for another connection");
}

#[test]
fn full_and_making_room() {
    let server = Server::with("--maxmemory-policy volatile-lru");
    let mut tier = tier(&server);
    let room = server.info("memory", "used_memory") + 3_000_000;
    server.ask::<()>(&format!("CONFIG SET maxmemory {room}"));
    let text = "x".repeat(10_000);
    for name in 0..1_000 {
        let record = once(&name.to_string(), &text, hours(1));
        tier.put(&[record], now()).unwrap();
    }
    assert!(server.info("stats", "evicted_keys") > 0);
    assert_eq!(take(&mut tier, "999", 1).unwrap().len(), 1);
    assert!(server.keys().len() < 1_000);
}

#[test]
fn made_a_replica() {
    let server = Server::start();
    let mut tier = tier(&server);
    let record = [once("a", "ticket", hours(1))];
    tier.put(&record, now()).unwrap();
    server.ask::<()>("REPLICAOF 127.0.0.1 1");
    not_done(tier.put(&record, now()), "READONLY");
    not_done(tier.take(&id("a"), 1, now()), "it is a replica");
    server.ask::<()>("REPLICAOF NO ONE");
    tier.put(&record, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["ticket"]);
}

#[test]
fn a_password() {
    let server = Server::with("--requirepass opensesame");
    let mut with = tier(&server);
    with.put(&[often("a", "copy", hours(1))], now()).unwrap();
    assert_eq!(take(&mut with, "a", 1).unwrap(), ["copy"]);
    assert!(!format!("{with:?}").contains("opensesame"));

    let at = |sign_in: &str| {
        let url = format!("redis://{sign_in}127.0.0.1:{}", server.port());
        RedisTier::new(&url, &patient()).unwrap()
    };
    not_done(at("").take(&id("a"), 1, now()), "NOAUTH");
    let text = not_done(at(":wrongword@").take(&id("a"), 1, now()), "WRONGPASS");
    assert!(!text.contains("wrongword"));
}

/// Redis repeats the words of a command that it does not know. We do not.
#[test]
fn a_password_is_not_repeated() {
    let server = Server::with("--rename-command AUTH none");
    let url = format!("redis://:opensesame@127.0.0.1:{}", server.port());
    let mut tier = RedisTier::new(&url, &patient()).unwrap();
    let text = not_done(tier.take(&id("a"), 1, now()), "sign-in refused (ERR)");
    assert!(!text.contains("opensesame"));
}

#[test]
fn another_database() {
    let server = Server::start();
    let url = format!("{}/3", server.url());
    let mut tier = RedisTier::new(&url, &patient()).unwrap();
    tier.put(&[often("a", "copy", hours(1))], now()).unwrap();
    assert_eq!(server.keys(), [""; 0]);
    assert_eq!(take(&mut tier, "a", 1).unwrap(), ["copy"]);
    let mut none = RedisTier::new(&format!("{}/99", server.url()), &patient()).unwrap();
    not_done(none.take(&id("a"), 1, now()), "DB index");
}

/// An ACL user with exactly the rights that the documentation names, and with one less.
#[test]
fn rights() {
    const RIGHTS: &str = "+multi +exec +zadd +zpopmax +zremrangebyscore +zremrangebyrank \
                          +pexpireat +set +get +unlink +scan +info";
    let server = Server::start();
    let mut admin = server.connect();
    let mut allow = |rights: &str| {
        let rights = format!("ACL SETUSER me reset on >pw ~tls-resume:* {rights}");
        crate::server::ask::<()>(&mut admin, &rights);
    };
    let url = format!("redis://me:pw@127.0.0.1:{}", server.port());
    let mut tier = RedisTier::new(&url, &patient()).unwrap();
    let records = [once("a", "ticket", hours(1)), often("a", "copy", hours(1))];

    allow(RIGHTS);
    tier.put(&records, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["ticket", "copy"]);
    tier.remove(&id("a")).unwrap();
    tier.clear().unwrap();

    for right in ["zadd", "pexpireat", "set", "exec"] {
        allow(&RIGHTS.replace(&format!("+{right} "), " "));
        not_done(tier.put(&records, now()), "NOPERM");
        assert_eq!(server.keys(), [""; 0], "{right}");
    }
    // Without a transaction Redis executes what was to be in it: who knows what.
    allow(&RIGHTS.replace("+multi", ""));
    let error = tier.put(&records, now());
    assert!(
        matches!(&error, Err(TierError::MaybeApplied(text)) if text.contains("NOPERM")),
        "{error:?}"
    );
    allow(&RIGHTS.replace("+zpopmax", ""));
    tier.put(&records, now()).unwrap();
    not_done(tier.take(&id("a"), 9, now()), "NOPERM");
    assert_eq!(server.keys().len(), 2);
    allow(&RIGHTS.replace("+unlink", ""));
    not_done(tier.remove(&id("a")), "NOPERM");
    allow(&RIGHTS.replace("+scan", ""));
    not_done(tier.clear(), "NOPERM");
    allow(&RIGHTS.replace("+info", ""));
    let text = not_done(tier.take(&id("a"), 9, now()), "+info");
    assert!(text.contains("INFO"), "{text}");

    allow(RIGHTS);
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["ticket", "copy"]);
}

#[test]
fn too_many_connections() {
    let server = Server::start();
    let mut tier = tier(&server);
    let mut admin = server.connect();
    crate::server::ask::<()>(&mut admin, "CONFIG SET maxclients 1");
    not_done(tier.take(&id("a"), 1, now()), "max number of clients");
    crate::server::ask::<()>(&mut admin, "CONFIG SET maxclients 100");
    assert_eq!(take(&mut tier, "a", 1).unwrap(), [""; 0]);
    assert!(admin.is_open());
}

/// What the documentation says of clusters.
#[test]
fn a_cluster() {
    let server = Server::with("--cluster-enabled yes");
    server.ask::<()>("CLUSTER ADDSLOTSRANGE 0 16383");
    let mut tier = tier(&server);
    let of = |name| {
        [
            once(name, "ticket", hours(1)),
            often(name, "copy", hours(1)),
        ]
    };
    eventually("the cluster is up", || tier.put(&of("a"), now()).is_ok());
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["ticket", "copy"]);
    tier.remove(&id("a")).unwrap();
    not_done(tier.put(&[of("a"), of("b")].concat(), now()), "CROSSSLOT");
    assert_eq!(server.keys(), [""; 0]);
}

#[test]
fn what_cannot_be_set_up() {
    let new = |url: &str| RedisTier::new(url, &patient()).map(drop);
    assert_eq!(new("localhost"), Err(RedisError::Url));
    assert_eq!(new("rediss://localhost"), Err(RedisError::NoTls));
    let settings = patient().with_namespace("a*");
    let error = RedisTier::new("redis://localhost", &settings).unwrap_err();
    assert_eq!(error, RedisError::Namespace);
}
