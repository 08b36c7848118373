//! A server that machines share: Redis 7 or newer, or Valkey.
//!
//! # What lies there
//! A TLS server's single-use records are one sorted set: the member is the sealed record, the score
//! is its expiry. Taking is `ZPOPMAX`, which is atomic: of all who ask, one gets the record. The
//! reusable record is a plain key. Every key expires by itself with its last record, and all keys
//! of one TLS server have one hash tag, so that they lie on one node.
//!
//! # Once, whatever happens to Redis
//! A Redis that restarts from a snapshot brings back what was taken since, and so does a replica
//! that had not heard of it when it took over; and likewise what was revoked. So every key holds the
//! *run* of the Redis that was asked: a digest of its `run_id`, new with each start, and its
//! `master_replid`, new with each promotion. What is brought back lies under the key of another run,
//! is never found, and expires: a restart of Redis costs full handshakes.
//!
//! The run is read when a connection is made, and again in the round trip of any call that comes
//! more than a second later; what was taken from another run is thrown away. Out of reach is what
//! moves a connection to another Redis within that second, such as a proxy, and a virtual machine
//! that is put back to an earlier moment while Redis runs in it.
//!
//! # Limits
//! One node, with replicas or without: a Redis Cluster refuses to put records of several servers in
//! one transaction. Redis bounds its bytes itself, by `maxmemory`: with `volatile-ttl` what expires
//! first goes, with other policies what was not used; with `noeviction` it refuses, which is
//! [`TierError::NotApplied`]. Clocks of clients and of Redis should agree: a key expires by the clock of
//! Redis, a record by that of who takes it.
//!
//! A user with few rights needs: `~tls-resume:* +multi +exec +zadd +zpopmax +zremrangebyscore
//! +zremrangebyrank +pexpireat +set +get +unlink +scan +info`.

mod commands;
mod keys;
mod link;
mod resp;
mod run;
mod settings;
mod socket;

use std::fmt;
use std::time::{Duration, Instant};

use self::commands::{Batch, popped, take};
use self::keys::Keys;
use self::link::Link;
use self::resp::Reply;
use self::settings::Target;
pub use self::settings::{RedisError, RedisSettings};
use crate::{Sealed, ServerId, Taken, Tier, TierError};
use ::redis::pipe;
use store_core::Timestamp;

/// Longest record in bytes. A longer one is neither put nor handed out.
const RECORD_BYTES: usize = 1024 * 1024;
/// How long the run of a connection's Redis is taken for granted.
const RUN_HOLDS: Duration = Duration::from_secs(1);
/// How long a `clear` may take.
const CLEAR_TIME: Duration = Duration::from_secs(60);
/// How many keys Redis looks at in one step of a `clear`.
const CLEAR_STEP: usize = 1_000;
/// How many bytes of keys it may name in one step; a few more than asked for is usual.
const CLEAR_ROOM: usize = 16 * 1024 * 1024;

/// The sessions that machines share by a Redis or Valkey; see [the module](self).
///
/// It connects when it is first used, and again when a connection breaks: a Redis that is down is a
/// miss, and no error of [`new`](Self::new). A call takes the two timeouts of its
/// [settings](RedisSettings) at the longest, plus what the system takes to resolve a name, and
/// another answer's if something foreign has to go that lies under our keys.
///
/// ```
/// use store_tiers::redis::{RedisSettings, RedisTier};
///
/// let settings = RedisSettings::default().with_namespace("crawler");
/// let tier = RedisTier::new("redis://:password@redis.internal:6379/2", &settings)?;
/// # Ok::<(), store_tiers::redis::RedisError>(())
/// ```
pub struct RedisTier {
    target: Target,
    keys: Keys,
    /// Single-use records a server.
    cap: usize,
    link: Option<Link>,
}

impl RedisTier {
    /// A tier at this address: `redis://[[user]:password@]host[:port][/database]`, or `rediss://`
    /// for TLS. Does not connect.
    pub fn new(url: &str, settings: &RedisSettings) -> Result<Self, RedisError> {
        Ok(Self {
            keys: Keys::new(&settings.namespace)?,
            cap: settings.sessions_per_server,
            target: Target::new(url, settings)?,
            link: None,
        })
    }

    /// A connection that can be used, with the keys to use on it.
    fn link(&mut self) -> Result<(&mut Link, &Keys), TierError> {
        let link = match self.link.take().filter(Link::is_usable) {
            Some(link) => link,
            None => Link::connect(&self.target)?,
        };
        Ok((self.link.insert(link), &self.keys))
    }
}

impl Tier for RedisTier {
    /// Puts all or nothing, in one round trip.
    fn put(&mut self, records: &[Sealed], now: Timestamp) -> Result<(), TierError> {
        let cap = self.cap;
        let mut batch = Batch::new(records, now);
        if batch.is_empty() {
            return Ok(());
        }
        let (link, keys) = self.link()?;
        let wrong = batch.put(link, keys, cap)?;
        // What stands in the way is not ours. It goes, and what it kept out is put again.
        batch.retain(&wrong);
        if batch.is_empty() {
            return Ok(());
        }
        match batch.put_over(link, keys, cap) {
            Ok(wrong) if wrong.is_empty() => Ok(()),
            Ok(_) => Err(TierError::MaybeApplied(String::from("redis: a key is not ours"))),
            // The other servers' records are there.
            Err(TierError::NotApplied(text) | TierError::MaybeApplied(text)) => {
                Err(TierError::MaybeApplied(text))
            }
        }
    }

    fn take(&mut self, server: &ServerId, most: usize, now: Timestamp) -> Result<Taken, TierError> {
        let most = most.min(self.cap);
        let (link, keys) = self.link()?;
        let (once, often) = (
            keys.once(server, link.run()),
            keys.often(server, link.run()),
        );
        let room = (most + 2) * (RECORD_BYTES + 1024);
        let [single_use, reusable] = take(link, &once, &often, most, room)?;

        let wrong: Vec<&String> = [(&once, &single_use), (&often, &reusable)]
            .into_iter()
            .filter_map(|(key, reply)| reply.is_wrong_type().then_some(key))
            .collect();
        if !wrong.is_empty() {
            // If this fails, the next look finds the same again.
            let mut commands = pipe();
            commands.cmd("UNLINK").arg(wrong);
            let _ = link.exchange(&commands, 1024);
        }
        popped(single_use, reusable, most, now)
    }

    /// Removes what the current run of Redis has of this server: what lies under an earlier run's
    /// key is found by nobody.
    fn remove(&mut self, server: &ServerId) -> Result<(), TierError> {
        let (link, keys) = self.link()?;
        let mut commands = pipe();
        commands
            .cmd("UNLINK")
            .arg(keys.once(server, link.run()))
            .arg(keys.often(server, link.run()));
        let replies = link.exchange(&commands, 1024)?;
        link.done(&replies)
    }

    /// Removes all keys of this namespace, of all runs, and no other. Redis looks at every key of
    /// its database for it, a thousand at a time; after a minute this gives up.
    fn clear(&mut self) -> Result<(), TierError> {
        let until = Instant::now() + CLEAR_TIME;
        let (link, keys) = self.link()?;
        let mut cursor = Vec::from(*b"0");
        let mut found = Vec::new();
        let mut removed = false;
        loop {
            let mut commands = pipe();
            if !found.is_empty() {
                commands.cmd("UNLINK").arg(&found);
                removed = true;
            }
            commands.cmd("SCAN").arg(&cursor);
            commands.arg("MATCH").arg(keys.pattern());
            commands.arg("COUNT").arg(CLEAR_STEP);
            let step = link
                .exchange(&commands, CLEAR_ROOM)
                .and_then(|replies| link.done(&replies).map(|()| replies));
            let replies = step.map_err(|error| match error {
                TierError::NotApplied(text) if removed => TierError::MaybeApplied(text),
                error => error,
            })?;
            (cursor, found) = scanned(replies).ok_or_else(|| link.confused())?;
            if cursor == b"0" && found.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                let text = "redis: too many keys to clear in a minute: clear again";
                return Err(TierError::MaybeApplied(String::from(text)));
            }
        }
    }
}

/// The next cursor of a `SCAN`, and the keys it found.
fn scanned(mut replies: Vec<Reply>) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let [cursor, found] = replies.pop()?.array()?.try_into().ok()?;
    let found = found.array()?.into_iter().map(Reply::bytes);
    Some((cursor.bytes()?, found.collect::<Option<_>>()?))
}

impl fmt::Debug for RedisTier {
    /// Shows the address, never a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTier")
            .field("target", &self.target)
            .field("connected", &self.link.is_some())
            .finish_non_exhaustive()
    }
}
