//! The Redis tier against a real `redis-server` (`apt-get install redis-server`), or another one
//! that the environment variable `REDIS_SERVER` names.
#![cfg(feature = "redis")]

mod blind;
mod contract;
mod failures;
mod once;
mod proxy;
mod refusals;
mod server;
#[cfg(feature = "redis-tls")]
mod tls;

use std::time::Duration;

use server::{PATIENCE, Server};
use store_core::{Clock as _, KeyRef, SecurityDomain, SystemClock, Timestamp, Usage};
use store_tiers::redis::{RedisSettings, RedisTier};
use store_tiers::{KeyRing, Sealed, ServerId, Taken, Tier as _, TierError};

/// Settings under which a busy machine fails no test.
fn patient() -> RedisSettings {
    RedisSettings::default().with_timeouts(PATIENCE, PATIENCE)
}

fn tier(server: &Server) -> RedisTier {
    RedisTier::new(&server.url(), &patient()).expect("the address is good")
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn hours(hours: u64) -> Timestamp {
    now().after(Duration::from_secs(hours * 3_600))
}

/// A server by its name, always the same.
fn id(name: &str) -> ServerId {
    let ring = KeyRing::new([7; 32], [(1, [8; 32])]).expect("one key");
    let domain = SecurityDomain::builder("test").finish();
    ring.server_id(KeyRef::new(&domain, name))
}

fn once(server: &str, bytes: &str, expires: Timestamp) -> Sealed {
    Sealed {
        server: id(server),
        usage: Usage::SingleUse,
        expires,
        bytes: bytes.as_bytes().to_vec(),
    }
}

fn often(server: &str, bytes: &str, expires: Timestamp) -> Sealed {
    Sealed {
        usage: Usage::Reusable,
        ..once(server, bytes, expires)
    }
}

/// What a take finds, as text.
fn take(tier: &mut RedisTier, server: &str, most: usize) -> Result<Vec<String>, TierError> {
    tier.take(&id(server), most, now()).map(texts)
}

fn texts(taken: Taken) -> Vec<String> {
    let all = taken.single_use.into_iter().chain(taken.reusable);
    all.map(|it| String::from_utf8(it).expect("text")).collect()
}
