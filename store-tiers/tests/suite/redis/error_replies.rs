//! Error replies of Redis: nothing was applied, and the tier reports that.

use redis::ConnectionLike as _;
use store_tiers::redis::{RedisError, RedisTier};
use store_tiers::{Tier as _, TierError};

use super::proxy::Proxy;
use super::server::Server;
use super::{hours, id, long_timeouts, now, reusable, single_use, take, tier};

fn not_applied<T: std::fmt::Debug>(result: Result<T, TierError>, word: &str) -> String {
    match result {
        Err(TierError::NotApplied(text)) if text.contains(word) => text,
        other => panic!("{other:?} is not NotApplied with {word}"),
    }
}

#[test]
fn a_full_redis_without_eviction_refuses_puts() {
    let server = Server::with("--maxmemory-policy noeviction");
    let proxy = Proxy::to(server.port());
    let mut tier = RedisTier::new(&proxy.url(), &long_timeouts()).unwrap();
    tier.put(&[single_use("a", "before", hours(1))], now())
        .unwrap();
    server.ask::<()>("CONFIG SET maxmemory 1");
    let records = [single_use("a", "1", hours(1)), reusable("b", "2", hours(1))];
    for _ in 0..3 {
        not_applied(tier.put(&records, now()), "OOM");
    }
    assert_eq!(server.keys().len(), 1, "not even a part of it");
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["before"]);
    server.ask::<()>("CONFIG SET maxmemory 0");
    tier.put(&records, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["1"]);
    assert_eq!(proxy.connections(), 1, "the connection is kept");
}

#[test]
fn a_full_redis_with_eviction_accepts_puts() {
    let server = Server::with("--maxmemory-policy volatile-lru");
    let mut tier = tier(&server);
    let room = server.info("memory", "used_memory") + 3_000_000;
    server.ask::<()>(&format!("CONFIG SET maxmemory {room}"));
    let text = "x".repeat(10_000);
    for name in 0..1_000 {
        let record = single_use(&name.to_string(), &text, hours(1));
        tier.put(&[record], now()).unwrap();
    }
    assert!(server.info("stats", "evicted_keys") > 0);
    assert_eq!(take(&mut tier, "999", 1).unwrap().len(), 1);
    assert!(server.keys().len() < 1_000);
}

#[test]
fn a_primary_that_becomes_a_replica() {
    let server = Server::start();
    let mut tier = tier(&server);
    let record = [single_use("a", "ticket", hours(1))];
    tier.put(&record, now()).unwrap();
    server.ask::<()>("REPLICAOF 127.0.0.1 1");
    not_applied(tier.put(&record, now()), "READONLY");
    not_applied(tier.take(&id("a"), 1, now()), "it is a replica");
    server.ask::<()>("REPLICAOF NO ONE");
    tier.put(&record, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["ticket"]);
}

#[test]
fn a_password() {
    let server = Server::with("--requirepass opensesame");
    let mut with = tier(&server);
    with.put(&[reusable("a", "copy", hours(1))], now()).unwrap();
    assert_eq!(take(&mut with, "a", 1).unwrap(), ["copy"]);
    assert!(!format!("{with:?}").contains("opensesame"));

    let at = |sign_in: &str| {
        let url = format!("redis://{sign_in}127.0.0.1:{}", server.port());
        RedisTier::new(&url, &long_timeouts()).unwrap()
    };
    not_applied(at("").take(&id("a"), 1, now()), "NOAUTH");
    let text = not_applied(
        at(":wrongword@").take(&id("a"), 1, now()),
        "sign-in refused",
    );
    assert!(!text.contains("wrongword"));
}

/// Redis repeats the words of an unknown command in its error reply.
#[test]
fn a_password_is_not_repeated() {
    let server = Server::with("--rename-command AUTH none");
    let url = format!("redis://:opensesame@127.0.0.1:{}", server.port());
    let mut tier = RedisTier::new(&url, &long_timeouts()).unwrap();
    let text = not_applied(tier.take(&id("a"), 1, now()), "sign-in refused");
    assert!(!text.contains("opensesame"));
}

#[test]
fn another_database() {
    let server = Server::start();
    let url = format!("{}/3", server.url());
    let mut tier = RedisTier::new(&url, &long_timeouts()).unwrap();
    tier.put(&[reusable("a", "copy", hours(1))], now()).unwrap();
    assert_eq!(server.keys(), [""; 0]);
    assert_eq!(take(&mut tier, "a", 1).unwrap(), ["copy"]);
    let mut none = RedisTier::new(&format!("{}/99", server.url()), &long_timeouts()).unwrap();
    not_applied(none.take(&id("a"), 1, now()), "DB index");
}

/// An ACL user with the documented rights, and with one less.
#[test]
fn the_documented_rights_are_needed_and_suffice() {
    const RIGHTS: &str = "+multi +exec +zadd +zpopmax +zremrangebyscore +zremrangebyrank \
                          +pexpireat +set +get +unlink +scan +info";
    let server = Server::start();
    let mut admin = server.connect();
    let mut allow = |rights: &str| {
        let rights = format!("ACL SETUSER me reset on >pw ~tls-resume:* {rights}");
        super::server::ask::<()>(&mut admin, &rights);
    };
    let url = format!("redis://me:pw@127.0.0.1:{}", server.port());
    let mut tier = RedisTier::new(&url, &long_timeouts()).unwrap();
    let records = [
        single_use("a", "ticket", hours(1)),
        reusable("a", "copy", hours(1)),
    ];

    allow(RIGHTS);
    tier.put(&records, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["ticket", "copy"]);
    tier.remove(&id("a")).unwrap();
    tier.clear().unwrap();

    for right in ["zadd", "pexpireat", "set", "exec"] {
        allow(&RIGHTS.replace(&format!("+{right} "), " "));
        not_applied(tier.put(&records, now()), "NOPERM");
        assert_eq!(server.keys(), [""; 0], "{right}");
    }
    // Without MULTI, Redis executes each command of the transaction by itself.
    allow(&RIGHTS.replace("+multi", ""));
    let error = tier.put(&records, now());
    assert!(
        matches!(&error, Err(TierError::MaybeApplied(text)) if text.contains("NOPERM")),
        "{error:?}"
    );
    allow(&RIGHTS.replace("+zpopmax", ""));
    tier.put(&records, now()).unwrap();
    not_applied(tier.take(&id("a"), 9, now()), "NOPERM");
    assert_eq!(server.keys().len(), 2);
    allow(&RIGHTS.replace("+unlink", ""));
    not_applied(tier.remove(&id("a")), "NOPERM");
    allow(&RIGHTS.replace("+scan", ""));
    not_applied(tier.clear(), "NOPERM");
    allow(&RIGHTS.replace("+info", ""));
    let text = not_applied(tier.take(&id("a"), 9, now()), "+info");
    assert!(text.contains("INFO"), "{text}");

    allow(RIGHTS);
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["ticket", "copy"]);
}

#[test]
fn too_many_connections() {
    let server = Server::start();
    let mut tier = tier(&server);
    let mut admin = server.connect();
    super::server::ask::<()>(&mut admin, "CONFIG SET maxclients 1");
    // Redis says why, and closes the connection, which may come first.
    not_applied(tier.take(&id("a"), 1, now()), "redis at 127.0.0.1");
    super::server::ask::<()>(&mut admin, "CONFIG SET maxclients 100");
    assert_eq!(take(&mut tier, "a", 1).unwrap(), [""; 0]);
    assert!(admin.is_open());
}

/// Its keys would not say which run of which node they belong to.
#[test]
fn a_node_of_a_cluster_is_not_one_node() {
    let server = Server::with("--cluster-enabled yes");
    server.ask::<()>("CLUSTER ADDSLOTSRANGE 0 16383");
    let text = not_applied(tier(&server).take(&id("a"), 1, now()), "cluster");
    assert!(text.contains("give redis-cluster://"), "{text}");
    let one = Server::start();
    let url = one.url().replace("redis://", "redis-cluster://");
    let mut tier = RedisTier::new(&url, &long_timeouts()).unwrap();
    let text = not_applied(tier.take(&id("a"), 1, now()), "cluster support disabled");
    assert!(!text.contains("MOVED"));
}

/// Calls block, and a task must not.
#[test]
fn a_call_in_a_task_is_an_error() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut outside = tier(&server);
    take(&mut outside, "a", 1).unwrap();
    runtime.block_on(async {
        let mut inside = tier(&server);
        not_applied(inside.take(&id("a"), 1, now()), "async task");
        drop((inside, outside)); // without a panic
    });
}

#[test]
fn invalid_settings_are_errors() {
    let new = |url: &str| RedisTier::new(url, &long_timeouts()).map(drop);
    assert_eq!(new("localhost"), Err(RedisError::Url));
    assert_eq!(new("rediss://localhost"), Err(RedisError::NoTls));
    let settings = long_timeouts().with_namespace("a*");
    let error = RedisTier::new("redis://localhost", &settings).unwrap_err();
    assert_eq!(error, RedisError::Namespace);
}
