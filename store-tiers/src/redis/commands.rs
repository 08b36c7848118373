//! What is asked of Redis to put and to take, and what its answers mean.

use std::collections::BTreeMap;

use ::redis::{Pipeline, pipe};
use store_core::{Timestamp, Usage};

use super::RECORD_BYTES;
use super::keys::Keys;
use super::link::Link;
use super::resp::Reply;
use crate::record::millis;
use crate::{Sealed, ServerId, Taken, TierError};

/// The last millisecond that a score, a double, holds exactly.
const LAST: u64 = (1 << 53) - 1;

/// Records to put, by server.
pub(super) struct Batch<'a> {
    servers: BTreeMap<ServerId, Records<'a>>,
    now: u64,
}

#[derive(Default)]
struct Records<'a> {
    once: Vec<(u64, &'a [u8])>,
    often: Option<(u64, &'a [u8])>,
}

impl<'a> Batch<'a> {
    /// Those of these records that are worth something and not too long.
    pub(super) fn new(records: &'a [Sealed], now: Timestamp) -> Self {
        let mut servers = BTreeMap::<_, Records<'_>>::new();
        for record in records {
            if record.expires <= now || record.bytes.len() > RECORD_BYTES {
                continue;
            }
            let of = servers.entry(record.server).or_default();
            let kept = (millis(record.expires).min(LAST), record.bytes.as_slice());
            match record.usage {
                Usage::SingleUse => of.once.push(kept),
                Usage::Reusable => of.often = Some(kept),
            }
        }
        let now = millis(now).min(LAST);
        Self { servers, now }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// Leaves out the records of all servers but these.
    pub(super) fn retain(&mut self, servers: &[ServerId]) {
        self.servers.retain(|server, _| servers.contains(server));
    }

    /// Puts the records and says for which servers something foreign stood in the way.
    pub(super) fn put(
        &self,
        link: &mut Link,
        keys: &Keys,
        cap: usize,
    ) -> Result<Vec<ServerId>, TierError> {
        self.transact(link, keys, cap, false)
    }

    /// The same after removing what is there.
    pub(super) fn put_over(
        &self,
        link: &mut Link,
        keys: &Keys,
        cap: usize,
    ) -> Result<Vec<ServerId>, TierError> {
        self.transact(link, keys, cap, true)
    }

    fn transact(
        &self,
        link: &mut Link,
        keys: &Keys,
        cap: usize,
        over: bool,
    ) -> Result<Vec<ServerId>, TierError> {
        let mut commands = pipe();
        commands.atomic();
        let mut servers = Vec::new(); // of each command
        for (server, records) in &self.servers {
            let once = keys.once(server, link.run());
            if over {
                commands.cmd("UNLINK").arg(&once);
            }
            records.put_once(&mut commands, &once, self.now, cap);
            records.put_often(&mut commands, &keys.often(server, link.run()));
            servers.resize(commands.len(), *server);
        }
        let replies = link.exchange(&commands, 1024 * (commands.len() + 2))?;
        let done = executed(link, replies)?;
        if done.len() != servers.len() {
            return Err(link.confused());
        }
        let mut wrong = Vec::new();
        for (reply, server) in done.iter().zip(servers) {
            match reply.refusal() {
                None => {}
                Some(_) if reply.is_wrong_type() => wrong.push(server),
                // The commands beside it were executed.
                Some(refusal) => return Err(link.unknown(refusal)),
            }
        }
        Ok(wrong)
    }
}

impl Records<'_> {
    fn put_once(&self, commands: &mut Pipeline, key: &str, now: u64, cap: usize) {
        let Some(longest) = self.once.iter().map(|(expires, _)| expires).max() else {
            return;
        };
        commands.cmd("ZREMRANGEBYSCORE");
        commands.arg(key).arg("-inf").arg(now);
        commands.cmd("ZADD").arg(key);
        for (expires, bytes) in &self.once {
            commands.arg(expires).arg(bytes);
        }
        // Ranks count from the one that expires first, negative ones from the end.
        let surplus = i64::try_from(cap).map_or(i64::MIN, |cap| -cap - 1);
        commands.cmd("ZREMRANGEBYRANK");
        commands.arg(key).arg(0).arg(surplus);
        // The set lives as long as its longest-lived record: NX if it has no expiry yet, GT if it
        // has an earlier one.
        for when in ["NX", "GT"] {
            commands.cmd("PEXPIREAT").arg(key).arg(longest).arg(when);
        }
    }

    fn put_often(&self, commands: &mut Pipeline, key: &str) {
        if let Some((expires, bytes)) = self.often {
            commands.cmd("SET").arg(key).arg(bytes);
            commands.arg("PXAT").arg(expires);
        }
    }
}

/// What the commands between `MULTI` and `EXEC` answered, if they were executed.
fn executed(link: &mut Link, mut replies: Vec<Reply>) -> Result<Vec<Reply>, TierError> {
    let queued = |reply: &Reply| match reply {
        Reply::Status(text) => text == "OK" || text == "QUEUED",
        reply => reply.refusal().is_some(),
    };
    match replies.pop() {
        Some(Reply::Array(done)) if replies.iter().all(queued) => Ok(done),
        // Nothing of a transaction is executed if one command of it was refused, or `EXEC`.
        Some(Reply::Error(refusal)) if replies.iter().all(queued) => {
            let error = link.refused(&refusal);
            let first = replies.iter().find_map(Reply::refusal);
            Err(first.map_or(error, |first| link.refused(first)))
        }
        // Without `MULTI`, each was executed by itself.
        _ => match replies.iter().find_map(Reply::refusal) {
            Some(refusal) => Err(link.unknown(refusal)),
            None => Err(link.confused()),
        },
    }
}

/// Asks for up to `most` single-use records, and for the reusable one.
pub(super) fn take(
    link: &mut Link,
    once: &str,
    often: &str,
    most: usize,
    room: usize,
) -> Result<[Reply; 2], TierError> {
    let mut commands = pipe();
    commands.cmd("ZPOPMAX").arg(once).arg(most);
    commands.cmd("GET").arg(often);
    let replies = link.exchange(&commands, room)?;
    let [single_use, reusable] = replies.try_into().map_err(|_| link.confused())?;
    // Refused by a replica, say. A reusable record alone is not worth to hide that.
    match single_use.refusal() {
        Some(refusal) if !single_use.is_wrong_type() => Err(link.refused(refusal)),
        _ => Ok([single_use, reusable]),
    }
}

/// What was found, without what has expired.
pub(super) fn popped(
    single_use: Reply,
    reusable: Reply,
    most: usize,
    now: Timestamp,
) -> Result<Taken, TierError> {
    let now = millis(now);
    let mut taken = Taken::default();
    // Member, score, member, score: what was removed is gone, whatever it is.
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
        Reply::Error(refusal) if taken.single_use.is_empty() && refusal.code() != "WRONGTYPE" => {
            return Err(TierError::NotApplied(format!("redis: {refusal}")));
        }
        _ => {}
    }
    Ok(taken)
}

/// The milliseconds of a score.
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
    fn what_has_expired_is_not_handed_out() {
        let kept = |scores: &[&str], most| {
            let items = scores.iter().flat_map(|score| [bytes(score), bytes(score)]);
            let single_use = Reply::Array(items.collect());
            let taken = popped(single_use, Reply::Nil, most, timestamp(1_000));
            let taken = taken.unwrap().single_use;
            taken.into_iter().map(|it| String::from_utf8(it).unwrap())
        };
        let some: Vec<String> = kept(&["1001", "1000", "inf", "-inf", "nan", "x"], 9).collect();
        assert_eq!(some, ["1001", "inf"]);
        // More than were asked for are not believed.
        assert_eq!(kept(&["2000", "2000", "2000"], 2).count(), 2);
    }

    #[test]
    fn an_answer_of_another_shape_is_a_miss() {
        for reply in [
            Reply::Nil,
            Reply::Int(1),
            Reply::Array(vec![Reply::Nil, Reply::TooLong, bytes("a")]),
        ] {
            let taken = popped(reply, Reply::TooLong, 9, timestamp(0)).unwrap();
            assert_eq!(taken, Taken::default());
        }
    }
}
