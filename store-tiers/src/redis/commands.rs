//! The commands that put and take records, and their replies.

use std::collections::BTreeMap;

use ::redis::{Pipeline, Value, pipe};
use store_core::{Timestamp, Usage};

use super::connection::{reply_error, shown_reply};
use super::keys::Keys;
use super::node::Node;
use crate::record::millis;
use crate::{Sealed, ServerId, Taken, TierError};

/// Longest record in bytes. A longer one is neither put nor taken.
pub(super) const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// The last millisecond that a score, a 64-bit float, represents exactly.
const LAST_EXPIRY: u64 = (1 << 53) - 1;

/// The records of one put, by server.
pub(super) struct Batch<'a> {
    servers: BTreeMap<ServerId, Records<'a>>,
    now: u64,
}

/// The records of one server, each with its expiry in milliseconds.
#[derive(Default)]
struct Records<'a> {
    single_use: Vec<(u64, &'a [u8])>,
    reusable: Option<(u64, &'a [u8])>,
}

impl<'a> Batch<'a> {
    /// Collects the records, without those that have expired or are too long.
    pub(super) fn new(records: &'a [Sealed], now: Timestamp) -> Self {
        let mut servers = BTreeMap::<_, Records<'_>>::new();
        for record in records {
            if record.expires <= now || record.bytes.len() > MAX_RECORD_BYTES {
                continue;
            }
            let server = servers.entry(record.server).or_default();
            let entry = (
                millis(record.expires).min(LAST_EXPIRY),
                record.bytes.as_slice(),
            );
            match record.usage {
                Usage::SingleUse => server.single_use.push(entry),
                Usage::Reusable => server.reusable = Some(entry),
            }
        }
        let now = millis(now).min(LAST_EXPIRY);
        Self { servers, now }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = ServerId> {
        self.servers.keys().copied()
    }

    /// Puts the records of these servers: all or none, in one transaction; in a cluster in one for
    /// each server, since it has no others. Returns the servers under whose keys another application
    /// has a value. With `delete_first`, deletes what is under the keys before.
    pub(super) async fn put(
        &self,
        servers: &[ServerId],
        node: &mut Node,
        keys: &Keys,
        max_records: usize,
        delete_first: bool,
    ) -> Result<Vec<ServerId>, TierError> {
        let mut commands = pipe();
        let mut transactions = Vec::new(); // the server of each command
        let servers_each = if node.is_in_cluster() {
            1
        } else {
            servers.len()
        };
        for servers in servers.chunks(servers_each.max(1)) {
            commands.cmd("MULTI");
            let mut server_of_command = Vec::new();
            let first = commands.len();
            for server in servers {
                let Some(records) = self.servers.get(server) else {
                    continue;
                };
                let single_use = keys.single_use(server, node.run_id());
                if delete_first {
                    commands.cmd("UNLINK").arg(&single_use);
                }
                records.put_single_use(&mut commands, &single_use, self.now, max_records);
                // `SET` replaces a value of any type.
                records.put_reusable(&mut commands, &keys.reusable(server, node.run_id()));
                server_of_command.resize(commands.len() - first, *server);
            }
            commands.cmd("EXEC");
            transactions.push(server_of_command);
        }
        let reply_bytes = 1024 * commands.len();
        let replies = node.exchange(commands, reply_bytes).await?;

        let (mut replies, mut wrong_type) = (&replies[..], Vec::new());
        let (mut is_applied, mut refused) = (false, None);
        for servers in transactions {
            let (replies_to_this, others) = replies.split_at(servers.len() + 2);
            replies = others;
            match transaction_results(node, replies_to_this) {
                Ok(results) => {
                    is_applied = true;
                    wrong_type.extend(servers_of_wrong_type(node, results, &servers)?);
                }
                Err(TierError::NotApplied(text)) => refused = Some(text),
                Err(error) => return Err(error),
            }
        }
        match refused {
            None => Ok(wrong_type),
            Some(text) if is_applied => Err(TierError::MaybeApplied(text)),
            Some(text) => Err(TierError::NotApplied(text)),
        }
    }
}

impl Records<'_> {
    fn put_single_use(&self, commands: &mut Pipeline, key: &str, now: u64, max_records: usize) {
        let Some(last_expiry) = self.single_use.iter().map(|(expires, _)| expires).max() else {
            return;
        };
        commands.cmd("ZREMRANGEBYSCORE");
        commands.arg(key).arg("-inf").arg(now);
        commands.cmd("ZADD").arg(key);
        for (expires, bytes) in &self.single_use {
            commands.arg(expires).arg(bytes);
        }
        // Ranks count from the record that expires first, negative ones from the last.
        let surplus = i64::try_from(max_records).map_or(i64::MIN, |most| -most - 1);
        commands.cmd("ZREMRANGEBYRANK");
        commands.arg(key).arg(0).arg(surplus);
        // The set expires with its last record. NX: if it has no expiry yet; GT: if it has an
        // earlier one.
        for condition in ["NX", "GT"] {
            commands.cmd("PEXPIREAT").arg(key);
            commands.arg(last_expiry).arg(condition);
        }
    }

    fn put_reusable(&self, commands: &mut Pipeline, key: &str) {
        if let Some((expires, bytes)) = self.reusable {
            commands.cmd("SET").arg(key).arg(bytes);
            commands.arg("PXAT").arg(expires);
        }
    }
}

/// Whether the key holds a value of another type, which another application must have put there.
pub(super) fn is_wrong_type(reply: &Value) -> bool {
    reply_error(reply).is_some_and(|error| error.code() == "WRONGTYPE")
}

/// The replies of the commands between `MULTI` and `EXEC`, if the transaction was executed.
fn transaction_results<'a>(
    node: &mut Node,
    replies: &'a [Value],
) -> Result<&'a [Value], TierError> {
    let is_queued = |reply: &Value| match reply {
        Value::Okay => true,
        Value::SimpleString(text) => text == "QUEUED",
        reply => reply_error(reply).is_some(),
    };
    match replies.split_last() {
        Some((Value::Array(results), queued)) if queued.iter().all(is_queued) => Ok(results),
        // Redis executes nothing of a transaction if it refused one of its commands or `EXEC`.
        Some((Value::ServerError(exec), queued)) if queued.iter().all(is_queued) => {
            let error = node.not_applied(exec);
            let first = queued.iter().find_map(reply_error);
            Err(first.map_or(error, |first| node.not_applied(first)))
        }
        // Without `MULTI`, Redis executed each command by itself.
        _ => match replies.iter().find_map(reply_error) {
            Some(error) => Err(node.maybe_applied(&shown_reply(error))),
            None => Err(node.unexpected_reply()),
        },
    }
}

/// The servers of the commands that met a value of another type.
fn servers_of_wrong_type(
    node: &mut Node,
    results: &[Value],
    servers: &[ServerId],
) -> Result<Vec<ServerId>, TierError> {
    if results.len() != servers.len() {
        return Err(node.unexpected_reply());
    }
    let mut wrong_type = Vec::new();
    for (result, server) in results.iter().zip(servers) {
        match reply_error(result) {
            None => {}
            Some(_) if is_wrong_type(result) => wrong_type.push(*server),
            // The other commands of the transaction were executed.
            Some(error) => return Err(node.maybe_applied(&shown_reply(error))),
        }
    }
    Ok(wrong_type)
}

/// Sends the commands that take up to `most` single-use records and copy the reusable one. Returns
/// the replies to both.
pub(super) async fn take(
    node: &mut Node,
    single_use_key: &str,
    reusable_key: &str,
    most: usize,
) -> Result<[Value; 2], TierError> {
    let mut commands = pipe();
    commands.cmd("ZPOPMAX").arg(single_use_key).arg(most);
    commands.cmd("GET").arg(reusable_key);
    let reply_bytes = (most + 2) * (MAX_RECORD_BYTES + 1024);
    let replies = node.exchange(commands, reply_bytes).await?;
    let [single_use, reusable] = replies.try_into().map_err(|_| node.unexpected_reply())?;
    match reply_error(&single_use) {
        // The slot is being moved, and its key has gone: the records cannot be had here.
        Some(error) if error.code() == "ASK" => Ok([Value::Nil, Value::Nil]),
        // Such as READONLY of a replica, which still answers the `GET`.
        Some(error) if !is_wrong_type(&single_use) => Err(node.not_applied(error)),
        _ => Ok([single_use, reusable]),
    }
}

/// Decodes the replies of [`take`], without records that have expired or are too long.
pub(super) fn decode_taken(
    single_use: Value,
    reusable: Value,
    most: usize,
    now: Timestamp,
) -> Result<Taken, TierError> {
    let now = millis(now);
    let mut taken = Taken::default();
    // Member, score, member, score. All are removed from Redis, also those that are skipped here.
    let items = match single_use {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    let mut items = items.into_iter();
    while let (Some(member), Some(score)) = (items.next(), items.next()) {
        if let (Some(bytes), Some(expires)) = (record(member), expiry(&score))
            && expires > now
            && taken.single_use.len() < most
        {
            taken.single_use.push(bytes);
        }
    }
    match reply_error(&reusable) {
        Some(error) if error.code() == "ASK" || is_wrong_type(&reusable) => {}
        Some(error) if taken.single_use.is_empty() => {
            return Err(TierError::NotApplied(format!(
                "redis: {}",
                shown_reply(error)
            )));
        }
        _ => taken.reusable = record(reusable),
    }
    Ok(taken)
}

fn record(reply: Value) -> Option<Vec<u8>> {
    match reply {
        Value::BulkString(bytes) if bytes.len() <= MAX_RECORD_BYTES => Some(bytes),
        _ => None,
    }
}

/// Decodes a score into milliseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates; NaN is zero
fn expiry(score: &Value) -> Option<u64> {
    let Value::BulkString(score) = score else {
        return None;
    };
    let score: f64 = str::from_utf8(score).ok()?.parse().ok()?;
    Some(score as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::timestamp;

    fn bytes(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn expired_records_are_skipped() {
        let taken = |scores: &[&str], most| {
            let items = scores.iter().flat_map(|score| [bytes(score), bytes(score)]);
            let single_use = Value::Array(items.collect());
            let taken = decode_taken(single_use, Value::Nil, most, timestamp(1_000));
            let records = taken.unwrap().single_use;
            records.into_iter().map(|it| String::from_utf8(it).unwrap())
        };
        let some: Vec<String> = taken(&["1001", "1000", "inf", "-inf", "nan", "x"], 9).collect();
        assert_eq!(some, ["1001", "inf"]);
        // Surplus records are ignored.
        assert_eq!(taken(&["2000", "2000", "2000"], 2).count(), 2);
    }

    #[test]
    fn an_unexpected_reply_is_a_miss() {
        let too_long = Value::BulkString(vec![b'x'; MAX_RECORD_BYTES + 1]);
        for reply in [
            Value::Nil,
            Value::Int(1),
            Value::Array(vec![Value::Nil, too_long.clone(), bytes("a")]),
        ] {
            let taken = decode_taken(reply, too_long.clone(), 9, timestamp(0)).unwrap();
            assert_eq!(taken, Taken::default());
        }
    }
}
