//! The Redis tier. Needs `redis-server` (`apt-get install redis-server`), or the program in the
//! environment variable `REDIS_SERVER`.

mod cluster;
mod contract;
mod error_replies;
mod failover;
mod failures;
mod proxy;
mod sealed;
mod server;
mod single_use;
#[cfg(feature = "redis-tls")]
mod tls;

use std::time::Duration;

use store_core::{Clock as _, KeyRef, SecurityDomain, SystemClock, Timestamp, Usage};
use store_tiers::redis::{RedisSettings, RedisTier};
use store_tiers::{KeyRing, Sealed, ServerId, Taken, Tier as _, TierError};

use self::server::{Server, TIMEOUT};

/// Settings with timeouts that a busy machine does not reach.
fn long_timeouts() -> RedisSettings {
    RedisSettings::default().with_timeouts(TIMEOUT, TIMEOUT)
}

fn tier(server: &Server) -> RedisTier {
    RedisTier::new(&server.url(), &long_timeouts()).expect("a valid address")
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn hours(hours: u64) -> Timestamp {
    now().after(Duration::from_secs(hours * 3_600))
}

/// The id of a server name, the same in all tests.
fn id(name: &str) -> ServerId {
    let ring = KeyRing::new([7; 32], [(1, [8; 32])]).expect("one key");
    let domain = SecurityDomain::builder("test").finish();
    ring.server_id(KeyRef::new(&domain, name))
}

fn single_use(server: &str, bytes: &str, expires: Timestamp) -> Sealed {
    Sealed {
        server: id(server),
        usage: Usage::SingleUse,
        expires,
        bytes: bytes.as_bytes().to_vec(),
    }
}

fn reusable(server: &str, bytes: &str, expires: Timestamp) -> Sealed {
    Sealed {
        usage: Usage::Reusable,
        ..single_use(server, bytes, expires)
    }
}

/// Takes the records of a server as text.
fn take(tier: &mut RedisTier, server: &str, most: usize) -> Result<Vec<String>, TierError> {
    tier.take(&id(server), most, now()).map(texts)
}

fn texts(taken: Taken) -> Vec<String> {
    let all = taken.single_use.into_iter().chain(taken.reusable);
    all.map(|it| String::from_utf8(it).expect("text")).collect()
}
