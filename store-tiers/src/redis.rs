//! The Redis tier: a server that machines share, Redis 7 or newer, or Valkey.
//!
//! # Keys
//! The single-use records of a TLS server are one sorted set: the member is the sealed record, the
//! score its expiry. A record is taken by `ZPOPMAX`, which is atomic: exactly one client gets it.
//! The reusable record is a plain key. Every key expires with its last record. All keys of a TLS
//! server have one hash tag, so that a cluster stores them on one node.
//!
//! # Single use across restarts and failovers
//! A Redis that restarts from a snapshot has records again that were taken or revoked since the
//! snapshot; so has a replica that is promoted before these changes reached it. So every key
//! contains a *run id*: a digest of Redis's `run_id`, new at each start, and `master_replid`, new
//! at each promotion. No client reads the keys of an earlier run, and they expire: a restart of
//! Redis costs full handshakes.
//!
//! The run id is read when a connection is made, and again in the round trip of any call more than
//! a second later; what a call took from another run is discarded. Two cases are not detected: a
//! proxy that moves a connection to another Redis within that second, and a virtual machine that is
//! reset to an earlier state while Redis runs in it.
//!
//! # Limits
//! One node, with or without replicas: a Redis Cluster refuses a transaction over several servers'
//! records. Redis limits its own memory (`maxmemory`): the policy `volatile-ttl` evicts the
//! keys that expire first, other policies other keys, and with `noeviction` puts fail with
//! [`TierError::NotApplied`]. The clocks of the clients and of Redis should agree: a key expires by
//! the clock of Redis, a record by that of the client that takes it.
//!
//! The least rights of an ACL user: `~tls-resume:* +multi +exec +zadd +zpopmax +zremrangebyscore
//! +zremrangebyrank +pexpireat +set +get +unlink +scan +info`.

mod commands;
mod connection;
mod keys;
mod resp;
mod run_id;
mod settings;
mod socket;

use std::fmt;
use std::time::{Duration, Instant};

use self::commands::{Batch, decode_taken, take};
use self::connection::Connection;
use self::keys::Keys;
use self::resp::{MAX_RECORD_BYTES, Reply};
use self::settings::Target;
pub use self::settings::{RedisError, RedisSettings};
use crate::{Sealed, ServerId, Taken, Tier, TierError};
use ::redis::pipe;
use store_core::Timestamp;

/// Timeout of a `clear`.
const CLEAR_TIMEOUT: Duration = Duration::from_secs(60);
/// `COUNT` of each `SCAN` in a `clear`.
const SCAN_COUNT: usize = 1_000;
/// Most bytes of a reply to `SCAN`, which may name a few more keys than `COUNT`.
const SCAN_REPLY_BYTES: usize = 16 * 1024 * 1024;
/// Most bytes of other replies without a record.
const SHORT_REPLY_BYTES: usize = 1024;

/// A [`Tier`] in Redis or Valkey that machines share; see [the module](self).
///
/// It connects in its first call, and again after a connection broke: if Redis is down, calls fail,
/// and [`new`](Self::new) does not. A call other than `clear` takes at most the two timeouts of its
/// [settings](RedisSettings) and the system's time to resolve the host's name; `answer_timeout`
/// counts twice if another application's values under our keys have to be deleted.
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
    /// Most single-use records per server.
    max_records: usize,
    connection: Option<Connection>,
}

impl RedisTier {
    /// Creates a tier for an address, `redis://[[user]:password@]host[:port][/database]`, or
    /// `rediss://` for TLS. It does not connect.
    pub fn new(url: &str, settings: &RedisSettings) -> Result<Self, RedisError> {
        Ok(Self {
            keys: Keys::new(&settings.namespace)?,
            max_records: settings.sessions_per_server,
            target: Target::new(url, settings)?,
            connection: None,
        })
    }

    /// Returns the connection, a new one if the last one is not usable, and the keys.
    fn connection(&mut self) -> Result<(&mut Connection, &Keys), TierError> {
        let connection = match self.connection.take().filter(Connection::is_usable) {
            Some(connection) => connection,
            None => Connection::connect(&self.target)?,
        };
        Ok((self.connection.insert(connection), &self.keys))
    }
}

impl Tier for RedisTier {
    /// Puts all records or none, in one round trip.
    fn put(&mut self, records: &[Sealed], now: Timestamp) -> Result<(), TierError> {
        let max_records = self.max_records;
        let mut batch = Batch::new(records, now);
        if batch.is_empty() {
            return Ok(());
        }
        let (connection, keys) = self.connection()?;
        let wrong_type = batch.put(connection, keys, max_records)?;
        // Another application has values under our keys: delete them and retry.
        batch.retain(&wrong_type);
        if batch.is_empty() {
            return Ok(());
        }
        match batch.replace(connection, keys, max_records) {
            Ok(wrong_type) if wrong_type.is_empty() => Ok(()),
            Ok(_) => Err(TierError::MaybeApplied(String::from(
                "redis: another application writes to our keys: give each a namespace of its own",
            ))),
            // The records of the other servers were put.
            Err(TierError::NotApplied(text) | TierError::MaybeApplied(text)) => {
                Err(TierError::MaybeApplied(text))
            }
        }
    }

    fn take(&mut self, server: &ServerId, most: usize, now: Timestamp) -> Result<Taken, TierError> {
        let most = most.min(self.max_records);
        let (connection, keys) = self.connection()?;
        let single_use_key = keys.single_use(server, connection.run_id());
        let reusable_key = keys.reusable(server, connection.run_id());
        let reply_bytes = (most + 2) * (MAX_RECORD_BYTES + 1024);
        let [single_use, reusable] = take(
            connection,
            &single_use_key,
            &reusable_key,
            most,
            reply_bytes,
        )?;

        let wrong_type: Vec<&String> = [(&single_use_key, &single_use), (&reusable_key, &reusable)]
            .into_iter()
            .filter_map(|(key, reply)| reply.is_wrong_type().then_some(key))
            .collect();
        if !wrong_type.is_empty() {
            // Another application's values. If this fails, the next take tries again.
            let mut commands = pipe();
            commands.cmd("UNLINK").arg(wrong_type);
            let _ = connection.exchange(&commands, SHORT_REPLY_BYTES);
        }
        decode_taken(single_use, reusable, most, now)
    }

    /// Removes the server's keys of Redis's current run; no client reads those of earlier runs.
    fn remove(&mut self, server: &ServerId) -> Result<(), TierError> {
        let (connection, keys) = self.connection()?;
        let mut commands = pipe();
        commands
            .cmd("UNLINK")
            .arg(keys.single_use(server, connection.run_id()))
            .arg(keys.reusable(server, connection.run_id()));
        let replies = connection.exchange(&commands, SHORT_REPLY_BYTES)?;
        connection.check(&replies)
    }

    /// Removes all keys of this namespace, of all runs. Redis scans all keys of its database, a
    /// thousand at a time. Fails after a minute.
    fn clear(&mut self) -> Result<(), TierError> {
        let deadline = Instant::now() + CLEAR_TIMEOUT;
        let (connection, keys) = self.connection()?;
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
            commands.arg("COUNT").arg(SCAN_COUNT);
            let replies = connection
                .exchange(&commands, SCAN_REPLY_BYTES)
                .and_then(|replies| connection.check(&replies).map(|()| replies));
            let replies = replies.map_err(|error| match error {
                TierError::NotApplied(text) if removed => TierError::MaybeApplied(text),
                error => error,
            })?;
            (cursor, found) = decode_scan(replies).ok_or_else(|| connection.unexpected_reply())?;
            if cursor == b"0" && found.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let text = "redis: too many keys to clear in a minute: clear again";
                return Err(TierError::MaybeApplied(String::from(text)));
            }
        }
    }
}

/// Decodes the reply to `SCAN`: the next cursor, and keys.
fn decode_scan(mut replies: Vec<Reply>) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let [cursor, found] = replies.pop()?.array()?.try_into().ok()?;
    let found = found.array()?.into_iter().map(Reply::bytes);
    Some((cursor.bytes()?, found.collect::<Option<_>>()?))
}

impl fmt::Debug for RedisTier {
    /// Shows the address, never a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTier")
            .field("target", &self.target)
            .field("connected", &self.connection.is_some())
            .finish_non_exhaustive()
    }
}
