//! The commands that put and take records, and their replies.

use std::collections::BTreeMap;

use ::redis::{Pipeline, pipe};
use store_core::{Timestamp, Usage};

use super::connection::Connection;
use super::keys::Keys;
use super::resp::{MAX_RECORD_BYTES, Reply};
use crate::record::millis;
use crate::{Sealed, ServerId, Taken, TierError};

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

    /// Keeps the records of these servers only.
    pub(super) fn retain(&mut self, servers: &[ServerId]) {
        self.servers.retain(|server, _| servers.contains(server));
    }

    /// Puts the records. Returns the servers under whose keys another application has a value.
    pub(super) fn put(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        max_records: usize,
    ) -> Result<Vec<ServerId>, TierError> {
        self.transact(connection, keys, max_records, false)
    }

    /// Puts the records after deleting the values under their keys; returns as [`put`](Self::put).
    pub(super) fn replace(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        max_records: usize,
    ) -> Result<Vec<ServerId>, TierError> {
        self.transact(connection, keys, max_records, true)
    }

    fn transact(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        max_records: usize,
        delete_first: bool,
    ) -> Result<Vec<ServerId>, TierError> {
        let mut commands = pipe();
        commands.atomic();
        let mut servers = Vec::new(); // the server of each command
        for (server, records) in &self.servers {
            let single_use = keys.single_use(server, connection.run_id());
            if delete_first {
                commands.cmd("UNLINK").arg(&single_use);
            }
            records.put_single_use(&mut commands, &single_use, self.now, max_records);
            // `SET` replaces a value of any type.
            records.put_reusable(&mut commands, &keys.reusable(server, connection.run_id()));
            servers.resize(commands.len(), *server);
        }
        let replies = connection.exchange(&commands, 1024 * (commands.len() + 2))?;
        let results = transaction_results(connection, replies)?;
        if results.len() != servers.len() {
            return Err(connection.unexpected_reply());
        }
        let mut wrong_type = Vec::new();
        for (reply, server) in results.iter().zip(servers) {
            match reply.error() {
                None => {}
                Some(_) if reply.is_wrong_type() => wrong_type.push(server),
                // The other commands of the transaction were executed.
                Some(error) => return Err(connection.maybe_applied(error)),
            }
        }
        Ok(wrong_type)
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

/// The replies of the commands between `MULTI` and `EXEC`, if the transaction was executed.
fn transaction_results(
    connection: &mut Connection,
    mut replies: Vec<Reply>,
) -> Result<Vec<Reply>, TierError> {
    let is_queued = |reply: &Reply| match reply {
        Reply::Status(text) => text == "OK" || text == "QUEUED",
        reply => reply.error().is_some(),
    };
    match replies.pop() {
        Some(Reply::Array(results)) if replies.iter().all(is_queued) => Ok(results),
        // Redis executes nothing of a transaction if it refused one of its commands or `EXEC`.
        Some(Reply::Error(exec)) if replies.iter().all(is_queued) => {
            let error = connection.not_applied(&exec);
            let first = replies.iter().find_map(Reply::error);
            Err(first.map_or(error, |first| connection.not_applied(first)))
        }
        // Without `MULTI`, Redis executed each command by itself.
        _ => match replies.iter().find_map(Reply::error) {
            Some(error) => Err(connection.maybe_applied(error)),
            None => Err(connection.unexpected_reply()),
        },
    }
}

/// Sends the commands that take up to `most` single-use records and copy the reusable one. Returns
/// the replies to both.
pub(super) fn take(
    connection: &mut Connection,
    single_use_key: &str,
    reusable_key: &str,
    most: usize,
    reply_bytes: usize,
) -> Result<[Reply; 2], TierError> {
    let mut commands = pipe();
    commands.cmd("ZPOPMAX").arg(single_use_key).arg(most);
    commands.cmd("GET").arg(reusable_key);
    let replies = connection.exchange(&commands, reply_bytes)?;
    let [single_use, reusable] = replies
        .try_into()
        .map_err(|_| connection.unexpected_reply())?;
    // Such as READONLY of a replica, which still answers the `GET`.
    match single_use.error() {
        Some(error) if !single_use.is_wrong_type() => Err(connection.not_applied(error)),
        _ => Ok([single_use, reusable]),
    }
}

/// Decodes the replies of [`take`], without expired records.
pub(super) fn decode_taken(
    single_use: Reply,
    reusable: Reply,
    most: usize,
    now: Timestamp,
) -> Result<Taken, TierError> {
    let now = millis(now);
    let mut taken = Taken::default();
    // Member, score, member, score. All are removed from Redis, also those that are skipped here.
    let mut items = single_use.array().unwrap_or_default().into_iter();
    while let (Some(member), Some(score)) = (items.next(), items.next()) {
        if let (Some(bytes), Some(expires)) = (member.bytes(), expiry(score))
            && expires > now
            && taken.single_use.len() < most
        {
            taken.single_use.push(bytes);
        }
    }
    match reusable {
        Reply::Bytes(bytes) => taken.reusable = Some(bytes),
        Reply::Error(error) if taken.single_use.is_empty() && error.code() != "WRONGTYPE" => {
            return Err(TierError::NotApplied(format!("redis: {error}")));
        }
        _ => {}
    }
    Ok(taken)
}

/// Decodes a score into milliseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates; NaN is zero
fn expiry(score: Reply) -> Option<u64> {
    let score = String::from_utf8(score.bytes()?).ok()?;
    score.parse::<f64>().ok().map(|score| score as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::timestamp;

    fn bytes(text: &str) -> Reply {
        Reply::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn expired_records_are_skipped() {
        let taken = |scores: &[&str], most| {
            let items = scores.iter().flat_map(|score| [bytes(score), bytes(score)]);
            let single_use = Reply::Array(items.collect());
            let taken = decode_taken(single_use, Reply::Nil, most, timestamp(1_000));
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
        for reply in [
            Reply::Nil,
            Reply::Int(1),
            Reply::Array(vec![Reply::Nil, Reply::TooLong, bytes("a")]),
        ] {
            let taken = decode_taken(reply, Reply::TooLong, 9, timestamp(0)).unwrap();
            assert_eq!(taken, Taken::default());
        }
    }
}
