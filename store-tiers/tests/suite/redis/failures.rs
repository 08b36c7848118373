//! R20: failures of Redis and the network. Each is an error or a miss, and the tier recovers by
//! itself.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use lab::tcp::free_port;
use store_tiers::redis::{RedisSettings, RedisTier};
use store_tiers::{Tier as _, TierError};

use super::proxy::{Fault, Proxy};
use super::server::{Server, TIMEOUT, eventually};
use super::{hours, id, long_timeouts, now, reusable, single_use, take, tier};

/// A tier with a short timeout for replies.
fn short_reply_timeout(url: &str) -> RedisTier {
    let reply = Duration::from_millis(300);
    RedisTier::new(url, &long_timeouts().with_timeouts(TIMEOUT, reply)).unwrap()
}

#[test]
fn redis_is_down_at_the_start() {
    let port = free_port().unwrap();
    let mut tier = RedisTier::new(&format!("redis://127.0.0.1:{port}"), &long_timeouts()).unwrap();
    let record = [single_use("a", "ticket", hours(1))];
    let error = tier.put(&record, now()).unwrap_err();
    assert!(
        matches!(&error, TierError::NotApplied(text) if text.contains("refused")),
        "{error:?}"
    );
    assert!(matches!(
        tier.take(&id("a"), 1, now()),
        Err(TierError::NotApplied(_))
    ));
    assert!(matches!(
        tier.remove(&id("a")),
        Err(TierError::NotApplied(_))
    ));
    assert!(matches!(tier.clear(), Err(TierError::NotApplied(_))));
    assert_eq!(tier.load(9, now()), Ok(Vec::new()));
    assert_eq!(tier.sweep(now()), Ok(false));

    let _server = Server::on(port);
    tier.put(&record, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 1).unwrap(), ["ticket"]);
}

#[test]
fn redis_is_killed_between_calls() {
    let mut server = Server::start();
    let mut tier = tier(&server);
    tier.put(&[single_use("a", "lost", hours(1))], now())
        .unwrap();
    server.kill();
    // The tier finds the connection closed before it sends anything.
    let error = tier.put(&[single_use("a", "again", hours(1))], now());
    assert!(matches!(error, Err(TierError::NotApplied(_))), "{error:?}");
    server.restart().unwrap();
    tier.put(&[single_use("a", "again", hours(1))], now())
        .unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["again"]);
}

/// A late reply must not be read as the reply to the next request.
#[test]
fn late_replies() {
    let server = Server::start();
    let proxy = Proxy::to(server.port());
    let mut tier = short_reply_timeout(&proxy.url());
    let records = [
        reusable("a", "of a", hours(1)),
        reusable("b", "of b", hours(1)),
    ];
    eventually("it is put", || tier.put(&records, now()).is_ok());

    proxy.set(Fault::Late);
    let error = tier.take(&id("a"), 1, now());
    assert!(
        matches!(error, Err(TierError::MaybeApplied(_))),
        "{error:?}"
    );
    proxy.set(Fault::None);
    for _ in 0..20 {
        if let Ok(taken) = take(&mut tier, "b", 1) {
            assert_eq!(taken, ["of b"]);
        }
    }
    eventually("it works again", || take(&mut tier, "a", 1).is_ok());

    // The put may be applied: it must not be repeated.
    proxy.set(Fault::Late);
    let error = tier.put(&[single_use("a", "late", hours(1))], now());
    assert!(
        matches!(error, Err(TierError::MaybeApplied(_))),
        "{error:?}"
    );
    eventually("redis applied it", || {
        server.keys().iter().any(|key| key.contains("once"))
    });
}

/// The timeout is for the whole reply, not for each byte.
#[test]
fn slow_replies() {
    let server = Server::start();
    let proxy = Proxy::to(server.port());
    let mut tier = short_reply_timeout(&proxy.url());
    let long = "x".repeat(1_000);
    let record = [reusable("a", &long, hours(1))];
    eventually("it is put", || tier.put(&record, now()).is_ok());

    proxy.set(Fault::Drip); // a thousand bytes take a minute
    let error = tier.take(&id("a"), 1, now());
    assert!(
        matches!(error, Err(TierError::MaybeApplied(_))),
        "{error:?}"
    );
    proxy.set(Fault::None);
    eventually("it works again", || {
        take(&mut tier, "a", 1).is_ok_and(|it| it == [&*long])
    });
}

#[test]
fn a_connection_breaks() {
    let server = Server::start();
    let proxy = Proxy::to(server.port());
    let mut tier = RedisTier::new(&proxy.url(), &long_timeouts()).unwrap();
    tier.put(&[single_use("a", "ticket", hours(1))], now())
        .unwrap();
    for fault in [Fault::Gone, Fault::Cut] {
        proxy.set(fault);
        let error = tier.take(&id("a"), 1, now());
        assert!(
            matches!(error, Err(TierError::MaybeApplied(_))),
            "{fault:?} {error:?}"
        );
        proxy.set(Fault::None);
        // The request reached Redis in the second case only.
        let cut = fault == Fault::Cut;
        let expected: &[&str] = if cut { &[] } else { &["ticket"] };
        assert_eq!(take(&mut tier, "a", 1).unwrap(), expected);
        tier.put(&[single_use("a", "ticket", hours(1))], now())
            .unwrap();
    }
    assert_eq!(proxy.connections(), 3);
}

/// A server that never replies.
#[test]
fn connecting_has_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let soon = Duration::from_millis(100);
    let settings = RedisSettings::default().with_timeouts(soon, soon);
    let mut tier = RedisTier::new(&url, &settings).unwrap();
    let began = Instant::now();
    let error = tier.take(&id("a"), 1, now());
    assert!(matches!(error, Err(TierError::NotApplied(_))), "{error:?}");
    assert!(began.elapsed() < TIMEOUT);
}

/// No bytes from a server cause a panic, a wrong record or an endless wait.
#[test]
fn invalid_replies() {
    const INFO: &[u8] = b"$50\r\nrun_id:aaaa\r\nrole:master\r\nmaster_replid:bbbb\r\n----\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let replies: [&[u8]; 8] = [
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
        for reply in replies {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let mut read_to = |word: &str| {
                let found = lines.find(|line| line.as_ref().map_or(true, |it| it == word));
                assert!(found.is_some(), "no {word}");
            };
            read_to("replication");
            stream.write_all(INFO).unwrap();
            read_to("ZPOPMAX");
            stream.write_all(reply).unwrap();
        }
    });
    for reply in replies {
        let settings = long_timeouts().with_timeouts(TIMEOUT, Duration::from_millis(500));
        let mut tier = RedisTier::new(&url, &settings).unwrap();
        if let Ok(taken) = tier.take(&id("a"), 9, now()) {
            assert!(taken.single_use.is_empty(), "{reply:?}");
            assert_eq!(taken.reusable, None, "{reply:?}");
        }
    }
    server.join().expect("each tier sent a request");
}

/// R20: a reply does not take more memory than the records that were asked for.
#[test]
fn a_reply_is_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        lines.find(|line| line.as_ref().is_ok_and(|it| it == "replication"));
        stream
            .write_all(b"$50\r\nrun_id:aaaa\r\nrole:master\r\nmaster_replid:bbbb\r\n----\r\n")
            .unwrap();
        lines.find(|line| line.as_ref().is_ok_and(|it| it == "ZPOPMAX"));
        stream.write_all(b"$4000000000\r\n").unwrap();
        let mut written = 0_usize;
        while stream.write_all(&[b'x'; 16_384]).is_ok() {
            written += 16_384;
        }
        written
    });
    let mut tier = RedisTier::new(&url, &long_timeouts()).unwrap();
    let error = tier.take(&id("a"), 1, now());
    assert!(
        matches!(&error, Err(TierError::MaybeApplied(text)) if !text.contains("in time")),
        "{error:?}"
    );
    drop(tier);
    let written = server.join().unwrap();
    assert!(
        written < 64 << 20,
        "{written}: some is in buffers of the system"
    );
}

#[test]
fn redis_is_flushed() {
    let server = Server::start();
    let mut tier = tier(&server);
    let records = [
        single_use("a", "ticket", hours(1)),
        reusable("a", "copy", hours(1)),
    ];
    tier.put(&records, now()).unwrap();
    server.ask::<()>("FLUSHALL");
    assert_eq!(take(&mut tier, "a", 1).unwrap(), [""; 0]);
    tier.put(&records, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 1).unwrap(), ["ticket", "copy"]);
}

/// Values of another application under our keys are deleted.
#[test]
fn values_of_another_type_are_deleted() {
    let server = Server::start();
    let mut tier = tier(&server);
    let records = [
        single_use("a", "ticket", hours(1)),
        reusable("a", "copy", hours(1)),
        single_use("b", "of b", hours(1)),
    ];
    tier.put(&records[..2], now()).unwrap();
    let (single_use_key, reusable_key) = (server.key("once"), server.key("often"));
    let spoil = || {
        server.ask::<()>("FLUSHALL");
        server.ask::<()>(&format!("SET {single_use_key} x"));
        server.ask::<()>(&format!("RPUSH {reusable_key} x"));
    };

    spoil();
    assert_eq!(take(&mut tier, "a", 1).unwrap(), [""; 0]);
    assert_eq!(server.keys(), [""; 0]);

    spoil();
    tier.put(&records, now()).unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["ticket", "copy"]);
    assert_eq!(take(&mut tier, "b", 9).unwrap(), ["of b"]);
    assert!(server.ask::<i64>(&format!("PTTL {reusable_key}")) > 0);
}

#[test]
fn a_record_that_is_too_long_is_skipped() {
    let server = Server::start();
    let mut tier = tier(&server);
    let long = "x".repeat(1024 * 1024 + 1);
    tier.put(
        &[
            single_use("a", &long, hours(3)),
            reusable("a", &long, hours(3)),
        ],
        now(),
    )
    .unwrap();
    assert_eq!(server.keys(), [""; 0]);

    let longest = &long[1..];
    tier.put(
        &[
            single_use("a", longest, hours(1)),
            reusable("a", "copy", hours(1)),
        ],
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
