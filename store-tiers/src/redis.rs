//! The Redis tier: a server that machines share, Redis 7 or newer, or Valkey.
//!
//! # Keys
//! The single-use records of a TLS server are one sorted set: the member is the sealed record, the
//! score its expiry. A record is taken by `ZPOPMAX`, which is atomic: exactly one client gets it.
//! The reusable record is a plain key. Every key expires with its last record. All keys of a TLS
//! server have one hash tag, so that a cluster stores them on one node.
//!
//! # Single use across restarts, failovers and moved slots
//! A Redis that restarts from a snapshot has records again that were taken or revoked since the
//! snapshot; so has a replica that is promoted before these changes reached it, and a node of a
//! cluster that gets back a slot it had before. So every key contains a *run id*: a digest of the
//! node's `run_id`, new at each start, `master_replid`, new at each promotion, and in a cluster
//! `cluster_my_epoch`, which is higher whenever the node gets a slot back. No client reads the keys of
//! another run, and they expire: a restart, a failover, and slots that move to a node cost full
//! handshakes.
//!
//! The run id is read when a connection is made, and again in the round trip of any call more than
//! a second later; what a call took from another run is discarded. Three cases are not detected:
//! within that second, a proxy that moves a connection to another Redis, and a slot that moves away
//! and back; and a virtual machine that is reset to an earlier state while Redis runs in it.
//!
//! # Limits
//! Redis limits its own memory (`maxmemory`): the policy `volatile-ttl` evicts the
//! keys that expire first, other policies other keys, and with `noeviction` puts fail with
//! [`TierError::NotApplied`]. The clocks of the clients and of Redis should agree: a key expires by
//! the clock of Redis, a record by that of the client that takes it.
//!
//! The least rights of an ACL user: `~tls-resume:* +multi +exec +zadd +zpopmax +zremrangebyscore
//! +zremrangebyrank +pexpireat +set +get +unlink +scan +info`, and in a cluster `+cluster|info
//! +cluster|slots`.

mod address;
mod commands;
mod connection;
mod keys;
mod node;
mod nodes;
mod run_id;
mod settings;
mod stream;
mod survey;

use std::fmt;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};

use self::address::Endpoint;
use self::commands::{Batch, decode_taken, is_wrong_type, take};
use self::connection::SHORT_REPLY;
use self::keys::Keys;
use self::nodes::Nodes;
use self::settings::Target;
pub use self::settings::{RedisError, RedisSettings};
pub use self::survey::Survey;
use crate::{Sealed, ServerId, Taken, Tier, TierError};
use ::redis::{Value, pipe};
use store_core::Timestamp;

/// Timeout of a `clear`.
const CLEAR_TIMEOUT: Duration = Duration::from_secs(60);
/// `COUNT` of each `SCAN` in a `clear`.
const SCAN_COUNT: usize = 1_000;
/// Most bytes of a reply to `SCAN`, which may name a few more keys than `COUNT`.
const SCAN_REPLY_BYTES: usize = 16 * 1024 * 1024;

/// A [`Tier`] in Redis or Valkey that machines share; see [the module](self).
///
/// It connects in its first call, and again after a connection broke: if Redis is down, calls fail,
/// and [`new`](Self::new) does not. A call to one primary takes at most the two timeouts of its
/// [settings](RedisSettings); with Sentinels or a cluster `connect_timeout` counts twice, the first
/// time for finding the primary. A `put` takes as long for each primary of a cluster that its
/// records are for, a `clear` a minute. `answer_timeout` counts twice if another application's values
/// under our keys have to be deleted, or if a slot of a cluster has moved. Calls block: from an async
/// task they fail.
///
/// ```
/// use store_tiers::redis::{RedisSettings, RedisTier};
///
/// let settings = RedisSettings::default().with_namespace("crawler");
/// let tier = RedisTier::new("redis://:password@redis.internal:6379/2", &settings)?;
/// let tier = RedisTier::new("redis-cluster://:password@node1,node2,node3", &settings)?;
/// # Ok::<(), store_tiers::redis::RedisError>(())
/// ```
pub struct RedisTier {
    client: Client,
    /// Runs the client, in the calls of the tier alone. Started by the first one.
    runtime: Option<Runtime>,
}

/// What the calls of the tier use.
struct Client {
    keys: Keys,
    /// Most single-use records per server.
    max_records: usize,
    nodes: Nodes,
}

impl RedisTier {
    /// Creates a tier for an address. It does not connect.
    ///
    /// - `redis://[[user]:password@]host[:port][/database]`: one primary. `rediss://` is the same
    ///   over TLS.
    /// - `redis+unix:///path[?db=database&user=user&pass=password]`: one on this machine.
    /// - `redis-sentinel://[[user]:password@]host[:port],host,.../name[/database]`: the primary that
    ///   these Sentinels know by this name. A Sentinel that needs a password gets the same one.
    /// - `redis-cluster://[[user]:password@]host[:port],host,...`: a cluster; some of its nodes are
    ///   enough. `rediss-sentinel://` and `rediss-cluster://` use TLS to all of them.
    ///
    /// `valkey` may stand for `redis`.
    pub fn new(url: &str, settings: &RedisSettings) -> Result<Self, RedisError> {
        let client = Client {
            keys: Keys::new(&settings.namespace)?,
            max_records: settings.sessions_per_server,
            nodes: Nodes::new(Target::new(url, settings)?),
        };
        Ok(Self {
            client,
            runtime: None,
        })
    }

    /// Runs a call.
    fn run<T>(
        &mut self,
        call: impl AsyncFnOnce(&mut Client) -> Result<T, TierError>,
    ) -> Result<T, TierError> {
        let failed = |text: &str| TierError::NotApplied(format!("redis: {text}"));
        if Handle::try_current().is_ok() {
            return Err(failed(
                "a blocking call in an async task: call it from a thread",
            ));
        }
        if self.runtime.is_none() {
            let runtime = Builder::new_current_thread()
                .enable_io()
                .enable_time()
                .build();
            self.runtime = Some(runtime.map_err(|error| failed(&error.to_string()))?);
        }
        let runtime = self.runtime.as_ref().expect("it was just set");
        runtime.block_on(call(&mut self.client))
    }
}

impl Drop for RedisTier {
    fn drop(&mut self) {
        // Not the drop of the runtime itself, which panics in an async task.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Tier for RedisTier {
    /// Puts all records or none, in one round trip; in a cluster all or none of each server, in one
    /// round trip for each primary.
    fn put(&mut self, records: &[Sealed], now: Timestamp) -> Result<(), TierError> {
        let batch = Batch::new(records, now);
        if batch.is_empty() {
            return Ok(());
        }
        self.run(async |client| client.put(&batch).await)
    }

    fn take(&mut self, server: &ServerId, most: usize, now: Timestamp) -> Result<Taken, TierError> {
        self.run(async |client| {
            let first = client.take(server, most, now).await;
            if client.nodes.has_moved(server, &first) {
                return client.take(server, most, now).await;
            }
            first
        })
    }

    /// Removes the server's keys of the current run of its primary; no client reads those of others.
    fn remove(&mut self, server: &ServerId) -> Result<(), TierError> {
        self.run(async |client| {
            let first = client.remove(server).await;
            if client.nodes.has_moved(server, &first) {
                return client.remove(server).await;
            }
            first
        })
    }

    /// Removes all keys of this namespace, of all runs. Redis scans all keys of its database, a
    /// thousand at a time. Fails after a minute.
    fn clear(&mut self) -> Result<(), TierError> {
        self.run(async |client| {
            let mut removed = false;
            let cleared = client.clear(&mut removed).await;
            cleared.map_err(|error| match error {
                TierError::NotApplied(text) if removed => TierError::MaybeApplied(text),
                error => error,
            })
        })
    }
}

impl Client {
    async fn put(&mut self, batch: &Batch<'_>) -> Result<(), TierError> {
        let (mut result, mut is_applied) = (Ok(()), false);
        for (endpoint, servers) in self.nodes.group(batch.servers()).await? {
            let put = self.put_at(&endpoint, batch, &servers).await;
            is_applied |= put.is_ok();
            result = result.and(put);
        }
        match result {
            Err(TierError::NotApplied(text)) if is_applied => Err(TierError::MaybeApplied(text)),
            result => result,
        }
    }

    /// Puts the records of servers that are at one primary.
    async fn put_at(
        &mut self,
        endpoint: &Endpoint,
        batch: &Batch<'_>,
        servers: &[ServerId],
    ) -> Result<(), TierError> {
        let (keys, most) = (&self.keys, self.max_records);
        let node = self.nodes.at(endpoint).await?;
        let wrong_type = batch.put(servers, node, keys, most, false).await?;
        if wrong_type.is_empty() {
            return Ok(());
        }
        // Another application has values under our keys: delete them and retry.
        match batch.put(&wrong_type, node, keys, most, true).await {
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

    async fn take(
        &mut self,
        server: &ServerId,
        most: usize,
        now: Timestamp,
    ) -> Result<Taken, TierError> {
        let most = most.min(self.max_records);
        let node = self.nodes.primary_of(server).await?;
        let single_use_key = self.keys.single_use(server, node.run_id());
        let reusable_key = self.keys.reusable(server, node.run_id());
        let [single_use, reusable] = take(node, &single_use_key, &reusable_key, most).await?;

        let wrong_type: Vec<&String> = [(&single_use_key, &single_use), (&reusable_key, &reusable)]
            .into_iter()
            .filter_map(|(key, reply)| is_wrong_type(reply).then_some(key))
            .collect();
        if !wrong_type.is_empty() {
            // Another application's values. If this fails, the next take tries again.
            let mut commands = pipe();
            commands.cmd("UNLINK").arg(wrong_type);
            let _ = node.exchange(commands, SHORT_REPLY).await;
        }
        decode_taken(single_use, reusable, most, now)
    }

    async fn remove(&mut self, server: &ServerId) -> Result<(), TierError> {
        let node = self.nodes.primary_of(server).await?;
        let mut commands = pipe();
        commands
            .cmd("UNLINK")
            .arg(self.keys.single_use(server, node.run_id()))
            .arg(self.keys.reusable(server, node.run_id()));
        let replies = node.exchange(commands, SHORT_REPLY).await?;
        node.check(&replies)
    }

    /// Sets `removed` when it has removed keys.
    async fn clear(&mut self, removed: &mut bool) -> Result<(), TierError> {
        let deadline = Instant::now() + CLEAR_TIMEOUT;
        for endpoint in self.nodes.primaries().await? {
            let node = self.nodes.at(&endpoint).await?;
            let (mut cursor, mut found) = (Vec::from(*b"0"), Vec::new());
            loop {
                let mut commands = pipe();
                // One command for each key: a cluster accepts several only in one slot.
                for key in &found {
                    commands.cmd("UNLINK").arg(key);
                    *removed = true;
                }
                commands.cmd("SCAN").arg(&cursor);
                commands.arg("MATCH").arg(self.keys.pattern());
                commands.arg("COUNT").arg(SCAN_COUNT);
                let replies = node.exchange(commands, SCAN_REPLY_BYTES).await?;
                node.check(&replies)?;
                (cursor, found) = decode_scan(replies).ok_or_else(|| node.unexpected_reply())?;
                if cursor == b"0" && found.is_empty() {
                    break;
                }
                if Instant::now() > deadline {
                    let text = "redis: too many keys to clear in a minute: clear again";
                    return Err(TierError::MaybeApplied(String::from(text)));
                }
            }
        }
        Ok(())
    }
}

/// Decodes the reply to `SCAN`: the next cursor, and keys.
fn decode_scan(mut replies: Vec<Value>) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    ::redis::from_redis_value(replies.pop()?).ok()
}

impl fmt::Debug for RedisTier {
    /// Shows the address, never a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTier")
            .field("address", &self.client.nodes.target().address.to_string())
            .field("connected", &self.client.nodes.are_connected())
            .finish_non_exhaustive()
    }
}
