//! What a probe finds: plain data, of which everything that is printed is a function.
//!
//! With `--json` each of these is an object on a line of its own, `type` first.

use serde::{Deserialize, Serialize};

use crate::{Backend, ConnectionRow, Failure, Verdict};

/// One thing found, as soon as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// One of the connections that were asked for.
    Connection(ConnectionRow),
    /// A session of one address, offered at an address (`--all-addresses`).
    Address(AddressRow),
    /// A ticket offered twice.
    Twice(TwiceRow),
    /// Sessions of one handshake, offered one after the other where some were declined.
    Again(AgainRow),
    /// What became of connections that were made at the same time (`--concurrency`).
    Burst(BurstRow),
    /// What resumption saves.
    Saves(SavesRow),
    /// The answer: the last of each backend.
    Verdict(Verdict),
}

/// All that one backend found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The backend that connected.
    pub backend: Backend,
    /// The connections that were asked for, by their number.
    pub connections: Vec<ConnectionRow>,
    /// Which addresses take each other's sessions; empty unless that was asked for.
    pub addresses: Vec<AddressRow>,
    /// Whether a ticket is accepted twice; TLS 1.3 only, and not with rustls 0.23, whose tickets
    /// nobody can copy.
    pub twice: Option<TwiceRow>,
    /// A closer look, where sessions were declined.
    pub again: Option<AgainRow>,
    /// What became of the connections at the same time, with `--concurrency` above 1.
    pub burst: Option<BurstRow>,
    /// What resumption saves, if anything resumed and connections were made one at a time.
    pub saves: Option<SavesRow>,
    /// The answer.
    pub verdict: Verdict,
}

impl Report {
    /// What was found beyond the connections and addresses, the verdict last.
    pub(crate) fn experiments(&self) -> Vec<Finding> {
        let found = [
            self.twice.clone().map(Finding::Twice),
            self.again.clone().map(Finding::Again),
            self.burst.clone().map(Finding::Burst),
            self.saves.clone().map(Finding::Saves),
            Some(Finding::Verdict(self.verdict.clone())),
        ];
        found.into_iter().flatten().collect()
    }
}

/// What a server gives to be resumed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// A ticket: the client keeps the session for the server (TLS 1.3 may also have tickets that
    /// only name a session in the server's memory, which cannot be seen).
    Ticket,
    /// A session id of TLS 1.2: the session lies in the server's memory.
    SessionId,
}

/// A session of the address `from`, offered at the address `to`. One that is declined is followed
/// by a second row: a fresh session, offered at the same place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRow {
    /// The backend that connected.
    pub backend: Backend,
    /// Where the session comes from.
    pub from: String,
    /// Where it was offered; where this is `from`, the address was asked by itself.
    pub to: String,
    /// Whether there was a session to offer.
    pub offered: bool,
    /// Whether it was resumed.
    pub resumed: bool,
    /// Why there was no handshake.
    pub error: Option<String>,
    /// The same in a word.
    pub failure: Option<Failure>,
    /// The version of TLS that was spoken there.
    #[serde(default)]
    pub protocol: Option<String>,
}

/// A ticket offered twice, by a client that our store would not be: it hands a ticket out once.
///
/// It is the server's choice: one that keeps its sessions and removes what is used (as it must for
/// early data) declines the second time; one whose tickets carry the session accepts them as long
/// as they live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwiceRow {
    /// The backend that connected.
    pub backend: Backend,
    /// Whether it was accepted the first time; without that the second says nothing.
    pub first: bool,
    /// Whether it was accepted the second time.
    pub second: bool,
    /// Why there was no answer.
    pub error: Option<String>,
}

/// Sessions of one handshake each, offered at the same address in connections of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgainRow {
    /// The backend that connected.
    pub backend: Backend,
    /// How many were offered.
    pub offered: usize,
    /// How many of them were resumed.
    pub resumed: usize,
}

/// What became of the connections after the first one, with several at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BurstRow {
    /// The backend that connected.
    pub backend: Backend,
    /// How many were made at the same time.
    pub concurrency: usize,
    /// How many there were, without the first one and those that failed.
    pub connections: usize,
    /// How many resumed.
    pub resumed: usize,
    /// How many offered a session that was declined.
    pub declined: usize,
    /// How many had none to offer because all that had come were used up.
    pub used_up: usize,
    /// How many had none to offer because none had come yet.
    pub nothing_yet: usize,
}

/// Full against resumed handshakes: medians.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavesRow {
    /// The backend that connected.
    pub backend: Backend,
    /// Full handshakes.
    pub full: Cost,
    /// Resumed ones.
    pub resumed: Cost,
}

/// What handshakes of one kind cost: medians. Where several versions of TLS were spoken it is about
/// the newest alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// How many there were.
    pub n: usize,
    /// Microseconds from the first byte that the client sent, round trips included.
    pub handshake_us: u64,
    /// The fastest.
    #[serde(default)]
    pub handshake_us_low: u64,
    /// The slowest.
    #[serde(default)]
    pub handshake_us_high: u64,
    /// The version of TLS.
    #[serde(default)]
    pub protocol: Option<String>,
    /// Bytes received, tickets included.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

impl Cost {
    /// Nothing if there was no such handshake.
    pub(crate) fn of<'a>(rows: impl Iterator<Item = &'a ConnectionRow>) -> Option<Self> {
        let rows: Vec<_> = rows.collect();
        let protocol = rows.iter().filter_map(|row| row.protocol.clone()).max();
        let (mut us, mut bytes_in, mut bytes_out) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows.iter().filter(|row| row.protocol == protocol) {
            us.push(row.handshake_us?);
            bytes_in.push(row.bytes_in);
            bytes_out.push(row.bytes_out);
        }
        Some(Self {
            n: us.len(),
            handshake_us_low: us.iter().copied().min()?,
            handshake_us_high: us.iter().copied().max()?,
            protocol,
            handshake_us: median(us)?,
            bytes_in: median(bytes_in)?,
            bytes_out: median(bytes_out)?,
        })
    }
}

/// The middle one; the lower of two.
fn median(mut numbers: Vec<u64>) -> Option<u64> {
    numbers.sort_unstable();
    numbers.get(numbers.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![7]), Some(7));
        assert_eq!(median(vec![9, 1]), Some(1));
        assert_eq!(median(vec![9, 1, 5]), Some(5));
    }

    #[test]
    fn an_object_says_its_type_and_reads_back() {
        let row = AddressRow {
            backend: Backend::OpenSsl,
            from: "192.0.2.1".to_owned(),
            to: "192.0.2.2".to_owned(),
            offered: true,
            resumed: false,
            error: None,
            failure: None,
            protocol: Some("TLS 1.3".to_owned()),
        };
        let finding = Finding::Address(row);
        let json = serde_json::to_string(&finding).unwrap();
        assert!(
            json.starts_with(r#"{"type":"address","backend":"openssl","from":"192.0.2.1""#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), finding);
    }
}
