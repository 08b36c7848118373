//! A look at what is in Redis, for its operator.

use std::time::Duration;

use ::redis::{Value, pipe};
use store_core::Timestamp;

use super::keys::Keys;
use super::node::Node;
use super::{RedisTier, decode_scan};
use crate::{KeyRing, Rejected, ServerId, TierError};

/// `COUNT` of each `SCAN`: the records of so many keys are in memory at the same time.
const SCAN_COUNT: usize = 100;
/// Most bytes of the records of these keys.
const RECORD_BYTES: usize = 256 * 1024 * 1024;
/// The ages by which [`Survey::younger_than`] counts.
const AGES: [Duration; 4] = [
    Duration::from_secs(3_600),
    Duration::from_secs(24 * 3_600),
    Duration::from_secs(7 * 24 * 3_600),
    Duration::MAX,
];

/// What one primary has: see [`RedisTier::survey`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survey {
    /// Its host and port, or socket.
    pub endpoint: String,
    /// The version of Redis or Valkey.
    pub version: String,
    /// Memory in use, in bytes.
    pub used_bytes: u64,
    /// `maxmemory` in bytes; 0 means no limit.
    pub max_bytes: u64,
    /// `maxmemory_policy`.
    pub policy: String,
    /// Keys of the namespace with records of the current run: at most two a server.
    pub keys: usize,
    /// Records that the keys of the ring open, by the time since their full handshake: less than an
    /// hour, a day, a week, and more.
    pub younger_than: [usize; 4],
    /// Records sealed with a key that is not in the ring.
    pub unknown_key: usize,
    /// Records that were changed, or are of another version.
    pub damaged: usize,
    /// Keys of earlier runs, whose records nobody uses, and which expire.
    pub keys_of_earlier_runs: usize,
    /// Keys of other namespaces, so of other key files.
    pub keys_of_others: usize,
}

impl RedisTier {
    /// Looks at all records, and takes none; returns what each primary has. Needs the rights `+zrange`
    /// and `+info` beside those of a client, and the right to see all keys (`~*`).
    pub fn survey(&mut self, ring: &KeyRing, now: Timestamp) -> Result<Vec<Survey>, TierError> {
        self.run(async |client| {
            let mut surveys = Vec::new();
            for endpoint in client.nodes.primaries().await? {
                let node = client.nodes.at(&endpoint).await?;
                let mut survey = Survey {
                    endpoint: endpoint.to_string(),
                    ..Survey::default()
                };
                survey.read_info(node).await?;
                survey.read_records(node, &client.keys, ring, now).await?;
                surveys.push(survey);
            }
            Ok(surveys)
        })
    }
}

impl Survey {
    async fn read_info(&mut self, node: &mut Node) -> Result<(), TierError> {
        let mut commands = pipe();
        commands.cmd("INFO").arg("server").arg("memory");
        let replies = node.exchange(commands, SCAN_COUNT * 1024).await?;
        node.check(&replies)?;
        let Some(Value::BulkString(info)) = replies.first() else {
            return Err(node.unexpected_reply());
        };
        for line in String::from_utf8_lossy(info).lines() {
            match line.split_once(':') {
                // Valkey has both, the first for clients that know Redis alone.
                Some(("redis_version" | "valkey_version", version)) => {
                    version.clone_into(&mut self.version);
                }
                Some(("used_memory", bytes)) => self.used_bytes = bytes.parse().unwrap_or(0),
                Some(("maxmemory", bytes)) => self.max_bytes = bytes.parse().unwrap_or(0),
                Some(("maxmemory_policy", policy)) => policy.clone_into(&mut self.policy),
                _ => {}
            }
        }
        Ok(())
    }

    async fn read_records(
        &mut self,
        node: &mut Node,
        keys: &Keys,
        ring: &KeyRing,
        now: Timestamp,
    ) -> Result<(), TierError> {
        let mut cursor = Vec::from(*b"0");
        loop {
            let mut commands = pipe();
            commands.cmd("SCAN").arg(&cursor);
            commands.arg("MATCH").arg(Keys::PATTERN_OF_ALL);
            commands.arg("COUNT").arg(SCAN_COUNT);
            let replies = node.exchange(commands, 1024 * 1024).await?;
            node.check(&replies)?;
            let found: Vec<Vec<u8>>;
            (cursor, found) = decode_scan(replies).ok_or_else(|| node.unexpected_reply())?;
            let (mut servers, mut commands) = (Vec::new(), pipe());
            for key in found {
                let key = String::from_utf8_lossy(&key);
                match keys.parse(&key) {
                    None => self.keys_of_others += 1,
                    Some((_, _, run)) if run != node.run_id().as_str() => {
                        self.keys_of_earlier_runs += 1;
                    }
                    Some((server, is_single_use, _)) => {
                        self.keys += 1;
                        servers.push(server);
                        if is_single_use {
                            commands.cmd("ZRANGE").arg(&*key).arg(0).arg(-1);
                        } else {
                            commands.cmd("GET").arg(&*key);
                        }
                    }
                }
            }
            if !servers.is_empty() {
                let replies = node.exchange(commands, RECORD_BYTES).await?;
                node.check(&replies)?;
                for (server, reply) in servers.iter().zip(replies) {
                    self.count(server, reply, ring, now);
                }
            }
            if cursor == b"0" {
                return Ok(());
            }
        }
    }

    fn count(&mut self, server: &ServerId, reply: Value, ring: &KeyRing, now: Timestamp) {
        let records = match reply {
            Value::Array(records) => records,
            record => vec![record],
        };
        for record in records {
            let Value::BulkString(sealed) = record else {
                continue; // it has expired meanwhile
            };
            match ring.open(&sealed, server, now) {
                Ok(record) => {
                    let established = record.established.since_epoch();
                    let age = now.since_epoch().saturating_sub(established);
                    let group = AGES.iter().position(|limit| age < *limit);
                    self.younger_than[group.unwrap_or(AGES.len() - 1)] += 1;
                }
                Err(Rejected::UnknownKey) => self.unknown_key += 1,
                Err(Rejected::Expired) => {}
                Err(_) => self.damaged += 1,
            }
        }
    }
}
