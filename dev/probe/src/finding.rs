//! Findings of a probe: plain data, from which all output is derived.
//!
//! With `--json` each finding is an object on a line of its own, `type` first.

use serde::{Deserialize, Serialize};

use crate::{Backend, ConnectionRow, Failure, Verdict};

/// One finding, reported as soon as it is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// A connection of the series.
    Connection(ConnectionRow),
    /// A session of one address, offered at an address (`--all-addresses`).
    Address(AddressRow),
    /// A ticket offered twice.
    Twice(TwiceRow),
    /// Sessions offered again at their own address, after some were declined.
    Again(AgainRow),
    /// Connections with and without a session offered, after those with one had failed.
    Breaks(BreaksRow),
    /// Connections made at the same time (`--concurrency`).
    Burst(BurstRow),
    /// What resumption saves.
    Saves(SavesRow),
    /// The verdict, the last finding of each backend.
    Verdict(Verdict),
}

/// All findings of one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The backend that connected.
    pub backend: Backend,
    /// The connections of the series, by their number.
    pub connections: Vec<ConnectionRow>,
    /// Whether addresses resume each other's sessions; empty without `--all-addresses`.
    pub addresses: Vec<AddressRow>,
    /// Whether a ticket is accepted twice. TLS 1.3 only, and not with rustls 0.23, whose tickets
    /// cannot be copied.
    pub twice: Option<TwiceRow>,
    /// Sessions offered again, if some were declined.
    pub again: Option<AgainRow>,
    /// Connections with and without a session offered, if exactly those of the series with one
    /// failed.
    pub breaks: Option<BreaksRow>,
    /// The connections made at the same time, with `--concurrency` above 1.
    pub burst: Option<BurstRow>,
    /// What resumption saves, if a connection resumed and they were made one at a time.
    pub saves: Option<SavesRow>,
    /// The verdict.
    pub verdict: Verdict,
}

impl Report {
    /// The findings of experiments, then the verdict.
    pub(crate) fn experiments(&self) -> Vec<Finding> {
        let findings = [
            self.twice.clone().map(Finding::Twice),
            self.again.clone().map(Finding::Again),
            self.breaks.clone().map(Finding::Breaks),
            self.burst.clone().map(Finding::Burst),
            self.saves.clone().map(Finding::Saves),
            Some(Finding::Verdict(self.verdict.clone())),
        ];
        findings.into_iter().flatten().collect()
    }
}

/// How a server recognizes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// By a ticket that contains the session. (In TLS 1.3 it may also name a session in the
    /// server's memory, which a client cannot see.)
    Ticket,
    /// By a session id of TLS 1.2, which names a session in the server's memory.
    SessionId,
}

/// A session of the address `from`, offered at the address `to`. If it was declined, a second row
/// tells of a fresh session between the same addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRow {
    /// The backend that connected.
    pub backend: Backend,
    /// The address that issued the session.
    pub from: String,
    /// The address that the session was offered to; may be the same.
    pub to: String,
    /// Whether a session was offered, also in a handshake that failed.
    pub offered: bool,
    /// Whether it was resumed.
    pub resumed: bool,
    /// Why the connection failed, and what to do: one line.
    pub error: Option<String>,
    /// Why the connection failed, as a code.
    pub failure: Option<Failure>,
    /// The TLS version of the connection to `to`.
    #[serde(default)]
    pub protocol: Option<String>,
}

/// A ticket offered twice, which the store itself never does.
///
/// Servers differ: one that stores sessions and removes each on use (as early data requires)
/// declines the second offer; one whose tickets contain the session accepts it until they expire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwiceRow {
    /// The backend that connected.
    pub backend: Backend,
    /// Whether the first offer was accepted; if not, the second says nothing.
    pub first: bool,
    /// Whether the second offer was accepted.
    pub second: bool,
    /// Why the experiment failed.
    pub error: Option<String>,
}

/// Sessions offered at the address that issued them, in one connection each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgainRow {
    /// The backend that connected.
    pub backend: Backend,
    /// Number of sessions offered.
    pub offered: usize,
    /// Number of them that were resumed.
    pub resumed: usize,
}

/// Connections with and without a session offered: do exactly those with one fail?
///
/// Each session is offered by a client of its own: a store that remembers a failure offers the
/// server nothing for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreaksRow {
    /// The backend that connected.
    pub backend: Backend,
    /// Number of connections that offered a session.
    pub offered: usize,
    /// Number of them that failed.
    pub offered_failed: usize,
    /// Number of connections that offered none.
    pub not_offered: usize,
    /// Number of them that failed.
    pub not_offered_failed: usize,
    /// Why the first one failed.
    pub failure: Option<Failure>,
    /// The same as a sentence.
    pub error: Option<String>,
}

/// The connections after the first one, if several were made at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BurstRow {
    /// The backend that connected.
    pub backend: Backend,
    /// Number of connections at a time.
    pub concurrency: usize,
    /// Number of connections, without the first one and without failed ones.
    pub connections: usize,
    /// Connections that resumed.
    pub resumed: usize,
    /// Connections whose session was declined.
    pub declined: usize,
    /// Connections that offered none because all sessions were used up.
    pub used_up: usize,
    /// Connections that offered none because none had arrived yet.
    pub nothing_yet: usize,
}

/// The costs of full and of resumed handshakes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavesRow {
    /// The backend that connected.
    pub backend: Backend,
    /// Full handshakes.
    pub full: Cost,
    /// Resumed handshakes.
    pub resumed: Cost,
}

/// Medians of handshakes of one kind; only of the newest TLS version, if there were several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Number of handshakes.
    pub n: usize,
    /// Microseconds from the first byte that the client sent, round trips included.
    pub handshake_us: u64,
    /// The fastest handshake.
    #[serde(default)]
    pub handshake_us_low: u64,
    /// The slowest handshake.
    #[serde(default)]
    pub handshake_us_high: u64,
    /// The TLS version.
    #[serde(default)]
    pub protocol: Option<String>,
    /// Bytes received, tickets included.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

impl Cost {
    /// `None` without handshakes.
    pub(crate) fn median_of<'a>(rows: impl Iterator<Item = &'a ConnectionRow>) -> Option<Self> {
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

/// The middle number; of two, the lower.
fn median(mut numbers: Vec<u64>) -> Option<u64> {
    numbers.sort_unstable();
    numbers.get(numbers.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_the_lower_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![7]), Some(7));
        assert_eq!(median(vec![9, 1]), Some(1));
        assert_eq!(median(vec![9, 1, 5]), Some(5));
    }

    #[test]
    fn json_begins_with_the_type_and_reads_back() {
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
