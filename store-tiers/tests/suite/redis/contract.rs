//! The contract of [`Tier`](store_tiers::Tier) without failures.

use std::time::Duration;

use store_core::Timestamp;
use store_tiers::Tier as _;
use store_tiers::redis::RedisTier;

use super::server::{Server, ask, eventually, info};
use super::{hours, id, long_timeouts, now, reusable, single_use, take, tier};

#[test]
fn the_latest_expiry_is_taken_first_and_once() {
    let server = Server::start();
    let (mut one, mut other) = (tier(&server), tier(&server));
    let records = [
        single_use("a", "2h", hours(2)),
        single_use("a", "3h", hours(3)),
        single_use("a", "1h", hours(1)),
        single_use("b", "of b", hours(1)),
    ];
    one.put(&records, now()).unwrap();

    assert_eq!(take(&mut other, "a", 2).unwrap(), ["3h", "2h"]);
    assert_eq!(take(&mut one, "a", 2).unwrap(), ["1h"]);
    assert_eq!(take(&mut other, "a", 2).unwrap(), [""; 0]);
    assert_eq!(take(&mut other, "b", 0).unwrap(), [""; 0]);
    assert_eq!(take(&mut other, "b", 1).unwrap(), ["of b"]);
    assert_eq!(take(&mut other, "unheard of", 1).unwrap(), [""; 0]);
}

#[test]
fn a_reusable_record_is_copied_and_replaced() {
    let server = Server::start();
    let mut tier = tier(&server);
    let first = [
        reusable("a", "first", hours(1)),
        single_use("a", "ticket", hours(1)),
    ];
    tier.put(&first, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["ticket", "first"]);
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["first"]);
    tier.put(&[reusable("a", "second", hours(1))], now())
        .unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["second"]);
}

/// R16: the records that expire last are kept.
#[test]
fn records_per_server_are_capped() {
    let server = Server::start();
    let settings = long_timeouts().with_sessions_per_server(3);
    let mut tier = RedisTier::new(&server.url(), &settings).unwrap();
    for hour in [5, 1, 4, 2, 3] {
        let record = single_use("a", &hour.to_string(), hours(hour));
        tier.put(&[record], now()).unwrap();
    }
    assert_eq!(
        server.ask::<u64>(&format!("ZCARD {}", server.key("once"))),
        3
    );
    assert_eq!(take(&mut tier, "a", 99).unwrap(), ["5", "4", "3"]);

    let flood: Vec<_> = (0..100)
        .map(|n| single_use("a", &format!("{n:03}"), hours(n + 1)))
        .collect();
    tier.put(&flood, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 99).unwrap(), ["099", "098", "097"]);
}

#[test]
fn expired_records_are_not_put_kept_or_taken() {
    let server = Server::start();
    let mut tier = tier(&server);
    let past = [single_use("a", "past", now()), reusable("a", "past", now())];
    tier.put(&past, now()).unwrap();
    assert_eq!(server.keys(), [""; 0]);

    tier.put(&[single_use("a", "1h", hours(1))], now()).unwrap();
    tier.put(&past, now()).unwrap();
    let count = || server.ask::<u64>(&format!("ZCARD {}", server.key("once")));
    assert_eq!(count(), 1);

    // By the client's clock, which may differ from that of Redis.
    let taken = tier.take(&id("a"), 9, hours(2)).unwrap();
    assert!(taken.single_use.is_empty());
    assert_eq!(server.keys(), [""; 0], "it is removed all the same");

    let records = [
        single_use("a", "1h", hours(1)),
        single_use("a", "9h", hours(9)),
    ];
    tier.put(&records, now()).unwrap();
    tier.put(&[single_use("a", "8h", hours(8))], hours(2))
        .unwrap();
    assert_eq!(count(), 2);
}

/// R19: the sorted set expires with its last record.
#[test]
fn keys_expire_by_themselves() {
    let server = Server::start();
    let mut tier = tier(&server);
    let expiry = |key: &str| server.ask::<u64>(&format!("PEXPIRETIME {}", server.key(key)));
    let millis = |time: Timestamp| u64::try_from(time.since_epoch().as_millis()).unwrap();

    let (one, two, three) = (hours(1), hours(2), hours(3));
    tier.put(&[single_use("a", "2", two), reusable("a", "r", two)], now())
        .unwrap();
    assert_eq!(
        (expiry("once"), expiry("often")),
        (millis(two), millis(two))
    );
    tier.put(&[single_use("a", "1", one)], now()).unwrap();
    assert_eq!(expiry("once"), millis(two), "not shortened");
    tier.put(&[single_use("a", "3", three)], now()).unwrap();
    assert_eq!(expiry("once"), millis(three));
    tier.put(&[single_use("b", "never", Timestamp::NEVER)], now())
        .unwrap();
    assert_eq!(take(&mut tier, "b", 1).unwrap(), ["never"]);

    server.ask::<()>("FLUSHALL");
    let soon = now().after(Duration::from_millis(300));
    tier.put(
        &[single_use("a", "1", soon), reusable("a", "r", soon)],
        now(),
    )
    .unwrap();
    eventually("the keys expire", || server.keys().is_empty());
}

#[test]
fn remove_affects_one_server() {
    let server = Server::start();
    let mut tier = tier(&server);
    let of = |name| {
        [
            single_use(name, "ticket", hours(1)),
            reusable(name, "copy", hours(1)),
        ]
    };
    tier.put(&[of("a"), of("b")].concat(), now()).unwrap();
    tier.remove(&id("a")).unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), [""; 0]);
    assert_eq!(take(&mut tier, "b", 9).unwrap(), ["ticket", "copy"]);
}

#[test]
fn clear_removes_the_keys_of_our_namespace_of_all_runs() {
    let server = Server::start();
    let mut tier = tier(&server);
    let settings = long_timeouts().with_namespace("other");
    let mut other = RedisTier::new(&server.url(), &settings).unwrap();
    let records: Vec<_> = (0..2_500)
        .map(|n| reusable(&n.to_string(), "r", hours(1)))
        .collect();
    tier.put(&records, now()).unwrap();
    other.put(&records[..1], now()).unwrap();
    let kept = other.take(&id("0"), 1, now()).unwrap();
    let ours = server
        .keys()
        .into_iter()
        .find(|key| key.starts_with("tls-resume"))
        .unwrap();
    let earlier = ours.replace("often", "once:0123456789abcdef");
    server.ask::<()>(&format!("ZADD {earlier} 1 x"));
    let foreign = [
        "tls-resume",
        "tls-resume:1:x",
        "tls-resume:2:{x}",
        "x:tls-resume:1:{x}",
    ];
    for key in foreign {
        server.ask::<()>(&format!("SET {key} x"));
    }

    tier.clear().unwrap();
    let left = server.keys();
    assert_eq!(left.len(), foreign.len() + 1, "{left:?}");
    assert!(foreign.iter().all(|&key| left.iter().any(|it| it == key)));
    assert_eq!(other.take(&id("0"), 1, now()).unwrap(), kept);
    assert!(kept.reusable.is_some());
    tier.clear().unwrap();
}

/// Redis counts its reads from connections.
#[test]
fn a_call_is_one_round_trip() {
    let server = Server::start();
    let mut monitor = server.connect();
    let mut tier = tier(&server);
    let records = |n: usize| -> Vec<_> {
        let names = (0..n).map(|n| n.to_string());
        let of = |name: String| {
            [
                single_use(&name, "ticket", hours(1)),
                reusable(&name, "copy", hours(1)),
            ]
        };
        names.flat_map(of).collect()
    };
    tier.put(&records(1), now()).unwrap(); // connects

    let mut reads = |call: &mut dyn FnMut()| {
        // After a second, a call reads the run id, in the same round trip.
        ask::<()>(&mut monitor, "CONFIG RESETSTAT");
        call();
        let counted = info(&mut monitor, "stats", "total_reads_processed");
        let mut calls = |name| info(&mut monitor, "commandstats", &format!("cmdstat_{name}"));
        let calls = ["zadd", "zpopmax", "get", "exec"].map(&mut calls);
        (counted, calls)
    };
    // The second read is the monitor's own command.
    let put = reads(&mut || tier.put(&records(5), now()).unwrap());
    assert_eq!(put, (2, [5, 0, 0, 1]));
    let taken = reads(&mut || assert_eq!(take(&mut tier, "0", 2).unwrap().len(), 2));
    assert_eq!(taken, (2, [0, 1, 1, 0]));
}
