//! R20: Redis is down, dies, is slow, hangs, talks nonsense or forgets. Each is an error or a miss,
//! and afterwards all works again by itself.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use lab::redis::free_port;
use store_tiers::redis::{RedisSettings, RedisTier};
use store_tiers::{Tier as _, TierError};

use crate::proxy::{Proxy, Weather};
use crate::server::{PATIENCE, Server, eventually};
use crate::{hours, id, now, often, once, patient, take, tier};

/// Through a proxy: patient when it connects, not when it waits for an answer.
fn hasty(url: &str) -> RedisTier {
    let answer = Duration::from_millis(300);
    RedisTier::new(url, &patient().with_timeouts(PATIENCE, answer)).unwrap()
}

#[test]
fn down_at_the_start() {
    let port = free_port().unwrap();
    let mut tier = RedisTier::new(&format!("redis://127.0.0.1:{port}"), &patient()).unwrap();
    let record = [once("a", "ticket", hours(1))];
    let error = tier.put(&record, now()).unwrap_err();
    assert!(
        matches!(&error, TierError::NotApplied(text) if text.contains("refused")),
        "{error:?}"
    );
    assert!(matches!(
        tier.take(&id("a"), 1, now()),
        Err(TierError::NotApplied(_))
    ));
    assert!(matches!(tier.remove(&id("a")), Err(TierError::NotApplied(_))));
    assert!(matches!(tier.clear(), Err(TierError::NotApplied(_))));
    assert_eq!(tier.load(9, now()), Ok(Vec::new()));
    assert_eq!(tier.sweep(now()), Ok(false));

    let _server = Server::on(port);
    tier.put(&record, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 1).unwrap(), ["ticket"]);
}

#[test]
fn killed_in_between() {
    let mut server = Server::start();
    let mut tier = tier(&server);
    tier.put(&[once("a", "lost", hours(1))], now()).unwrap();
    server.kill();
    // The connection is found to be closed before anything is sent: so it is certain.
    let error = tier.put(&[once("a", "again", hours(1))], now());
    assert!(matches!(error, Err(TierError::NotApplied(_))), "{error:?}");
    server.restart().unwrap();
    tier.put(&[once("a", "again", hours(1))], now()).unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["again"]);
}

/// A late answer must never be taken for that of the next question.
#[test]
fn late_answers() {
    let server = Server::start();
    let proxy = Proxy::before(server.port());
    let mut tier = hasty(&proxy.url());
    let records = [often("a", "of a", hours(1)), often("b", "of b", hours(1))];
    eventually("it is put", || tier.put(&records, now()).is_ok());

    proxy.set(Weather::Late);
    let error = tier.take(&id("a"), 1, now());
    assert!(matches!(error, Err(TierError::MaybeApplied(_))), "{error:?}");
    proxy.set(Weather::Fine);
    for _ in 0..20 {
        if let Ok(taken) = take(&mut tier, "b", 1) {
            assert_eq!(taken, ["of b"]);
        }
    }
    eventually("it works again", || take(&mut tier, "a", 1).is_ok());

    // A put may have been done: nobody may put it again.
    proxy.set(Weather::Late);
    let error = tier.put(&[once("a", "late", hours(1))], now());
    assert!(matches!(error, Err(TierError::MaybeApplied(_))), "{error:?}");
    eventually("redis did it", || {
        server.keys().iter().any(|key| key.contains("once"))
    });
}

/// The time is for the whole answer, and not for each byte of it.
#[test]
fn answers_that_drip() {
    let server = Server::start();
    let proxy = Proxy::before(server.port());
    let mut tier = hasty(&proxy.url());
    let long = "x".repeat(1_000);
    let record = [often("a", &long, hours(1))];
    eventually("it is put", || tier.put(&record, now()).is_ok());

    proxy.set(Weather::Drip); // a thousand bytes take a minute
    let error = tier.take(&id("a"), 1, now());
    assert!(matches!(error, Err(TierError::MaybeApplied(_))), "{error:?}");
    proxy.set(Weather::Fine);
    eventually("it works again", || {
        take(&mut tier, "a", 1).is_ok_and(|it| it == [&*long])
    });
}

#[test]
fn a_connection_that_breaks() {
    let server = Server::start();
    let proxy = Proxy::before(server.port());
    let mut tier = RedisTier::new(&proxy.url(), &patient()).unwrap();
    tier.put(&[once("a", "ticket", hours(1))], now()).unwrap();
    for weather in [Weather::Gone, Weather::Cut] {
        proxy.set(weather);
        let error = tier.take(&id("a"), 1, now());
        assert!(
            matches!(error, Err(TierError::MaybeApplied(_))),
            "{weather:?} {error:?}"
        );
        proxy.set(Weather::Fine);
        // The first never reached Redis, the second did: taken is taken.
        let cut = weather == Weather::Cut;
        let expected: &[&str] = if cut { &[] } else { &["ticket"] };
        assert_eq!(take(&mut tier, "a", 1).unwrap(), expected);
        tier.put(&[once("a", "ticket", hours(1))], now()).unwrap();
    }
    assert_eq!(proxy.connections(), 3);
}

/// One that takes no connections, or never answers: the time to connect is bounded.
#[test]
fn hung() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let soon = Duration::from_millis(100);
    let settings = RedisSettings::default().with_timeouts(soon, soon);
    let mut tier = RedisTier::new(&url, &settings).unwrap();
    let began = Instant::now();
    let error = tier.take(&id("a"), 1, now());
    assert!(matches!(error, Err(TierError::NotApplied(_))), "{error:?}");
    assert!(began.elapsed() < PATIENCE);
}

/// Whoever answers on this port: nothing it says makes us panic, hand out what is none, or wait.
#[test]
fn nonsense() {
    const INFO: &[u8] = b"$50\r\nrun_id:aaaa\r\nrole:master\r\nmaster_replid:bbbb\r\n----\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let answers: [&[u8]; 8] = [
        b"*9223372036854775807\r\n",
        b"*2\r\n$1\r\na\r\n$9223372036854775807\r\nb",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"+OK\r\n+OK\r\n",
        b":1\r\n*0\r\n",
        b"*-1\r\n$-1\r\n",
        b"*3\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n$-1\r\n",
        b"\r\n\r\n",
    ];
    let server = thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(INFO).unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let asked = lines.find(|line| line.as_ref().map_or(true, |it| it == "ZPOPMAX"));
            assert!(asked.is_some());
            stream.write_all(answer).unwrap();
        }
    });
    for answer in answers {
        let settings = patient().with_timeouts(PATIENCE, Duration::from_millis(500));
        let mut tier = RedisTier::new(&url, &settings).unwrap();
        if let Ok(taken) = tier.take(&id("a"), 9, now()) {
            assert!(taken.single_use.is_empty(), "{answer:?}");
            assert_eq!(taken.reusable, None, "{answer:?}");
        }
    }
    server.join().expect("it was asked each time");
}

#[test]
fn flushed() {
    let server = Server::start();
    let mut tier = tier(&server);
    let records = [once("a", "ticket", hours(1)), often("a", "copy", hours(1))];
    tier.put(&records, now()).unwrap();
    server.ask::<()>("FLUSHALL");
    assert_eq!(take(&mut tier, "a", 1).unwrap(), [""; 0]);
    tier.put(&records, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 1).unwrap(), ["ticket", "copy"]);
}

/// Someone's own values under our keys: they go.
#[test]
fn a_wrong_type_under_our_key() {
    let server = Server::start();
    let mut tier = tier(&server);
    let records = [
        once("a", "ticket", hours(1)),
        often("a", "copy", hours(1)),
        once("b", "of b", hours(1)),
    ];
    tier.put(&records[..2], now()).unwrap();
    let (once, often) = (server.key("once"), server.key("often"));
    let spoil = || {
        server.ask::<()>("FLUSHALL");
        server.ask::<()>(&format!("SET {once} x"));
        server.ask::<()>(&format!("RPUSH {often} x"));
    };

    spoil();
    assert_eq!(take(&mut tier, "a", 1).unwrap(), [""; 0]);
    assert_eq!(server.keys(), [""; 0]);

    spoil();
    tier.put(&records, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["ticket", "copy"]);
    assert_eq!(take(&mut tier, "b", 9).unwrap(), ["of b"]);
    assert!(server.ask::<i64>(&format!("PTTL {often}")) > 0);
}

#[test]
fn a_member_that_is_too_long_is_left_out() {
    let server = Server::start();
    let mut tier = tier(&server);
    let long = "x".repeat(1024 * 1024 + 1);
    tier.put(
        &[once("a", &long, hours(3)), often("a", &long, hours(3))],
        now(),
    )
    .unwrap();
    assert_eq!(server.keys(), [""; 0]);

    let longest = &long[1..];
    tier.put(
        &[once("a", longest, hours(1)), often("a", "copy", hours(1))],
        now(),
    )
    .unwrap();
    let key = server.key("once");
    redis::cmd("ZADD")
        .arg(key)
        .arg(9e15)
        .arg(&long)
        .exec(&mut server.connect())
        .unwrap();
    assert_eq!(take(&mut tier, "a", 2).unwrap(), [longest, "copy"]);
}
