//! Counts of what was observed.

use std::collections::BTreeMap;

use super::Code;
use crate::breaks;
use crate::client::TierReport;
use crate::finding::{AddressRow, AgainRow, BreaksRow, BurstRow, SessionKind, TwiceRow};
use crate::{ConnectionRow, Failure, Options, StartTls};

/// The input of a verdict.
pub(crate) struct Evidence<'a> {
    pub(crate) options: &'a Options,
    pub(crate) rows: &'a [ConnectionRow],
    pub(crate) addresses: &'a [AddressRow],
    /// Number of addresses that the name has.
    pub(crate) addresses_known: usize,
    /// Whether the server has sent a TLS record on any connection.
    pub(crate) speaks_tls: bool,
    pub(crate) twice: Option<&'a TwiceRow>,
    pub(crate) again: Option<&'a AgainRow>,
    pub(crate) breaks: Option<&'a BreaksRow>,
    pub(crate) burst: Option<&'a BurstRow>,
    pub(crate) tier: Option<&'a TierReport>,
}

impl Evidence<'_> {
    pub(super) fn count(&self, matches: impl Fn(&ConnectionRow) -> bool) -> usize {
        self.rows.iter().filter(|row| matches(row)).count()
    }

    pub(super) fn offered(&self) -> usize {
        self.count(|row| row.offered)
    }

    pub(super) fn resumed(&self) -> usize {
        self.count(|row| row.resumed)
    }

    pub(super) fn declined(&self) -> usize {
        self.count(ConnectionRow::is_declined)
    }

    /// Connections after the first that had no session left, though some had arrived.
    pub(super) fn used_up(&self) -> usize {
        self.count(|row| row.connection > 1 && !row.offered && row.sessions_before > 0)
    }

    /// Connections after the first that began before any session had arrived.
    pub(super) fn too_early(&self) -> usize {
        self.count(|row| row.connection > 1 && !row.offered && row.sessions_before == 0)
    }

    /// Connections whose session can only have come from the tier.
    pub(super) fn tier_sessions(&self) -> usize {
        if self.options.store.tier_url().is_none() {
            return 0; // the session arrived while this connection began
        }
        self.count(|row| row.offered && row.sessions_before == 0)
    }

    pub(super) fn tickets(&self) -> usize {
        self.rows.iter().map(|row| row.tickets).sum()
    }

    /// The largest number of sessions that a full handshake brought.
    pub(super) fn tickets_of_full(&self) -> usize {
        let full = self.rows.iter().filter(|row| !row.resumed);
        full.map(|row| row.tickets).max().unwrap_or_default()
    }

    /// The shortest known lifetime of a session. In TLS 1.2, zero means "unspecified" (RFC 5077).
    pub(super) fn lifetime(&self) -> Option<u64> {
        let is_known = |row: &&ConnectionRow| {
            row.protocol.as_deref() != Some("TLS 1.2") || row.lifetime_s != Some(0)
        };
        let rows = self.rows.iter().filter(is_known);
        rows.filter_map(|row| row.lifetime_s).min()
    }

    /// Whether all sessions are of this kind.
    pub(super) fn has_only(&self, kind: SessionKind) -> bool {
        let mut kinds = self.rows.iter().filter_map(|row| row.session).peekable();
        kinds.peek().is_some() && kinds.all(|one| one == kind)
    }

    /// Whether all connections were of TLS 1.2.
    pub(super) fn is_tls12_only(&self) -> bool {
        let mut protocols = self.rows.iter().filter_map(|row| row.protocol.as_deref());
        protocols.all(|protocol| protocol == "TLS 1.2")
    }

    /// The most frequent failure and its first message: messages of one failure may differ.
    pub(super) fn most_frequent_failure(&self) -> Option<(Failure, &str)> {
        let mut failures = BTreeMap::new();
        for row in self.rows {
            if let (Some(failure), Some(error)) = (row.failure, row.error.as_deref()) {
                failures.entry(failure).or_insert((0_usize, error)).0 += 1;
            }
        }
        let (failure, (_, error)) = failures.into_iter().max_by_key(|(_, (count, _))| *count)?;
        Some((failure, error))
    }

    /// The connections that offered a session and those that offered none, if exactly the former
    /// failed, those of the experiment included. At least two of each: one failure may be chance.
    pub(super) fn only_offers_failed(&self) -> Option<(usize, usize)> {
        let tried = self.breaks?;
        let offered = self.offered() + tried.offered;
        let not_offered = self.count(|row| !row.offered) + tried.not_offered;
        let exactly = self.rows.iter().all(breaks::is_as_suspected)
            && (tried.offered_failed, tried.not_offered_failed) == (tried.offered, 0)
            && self.offered_at_addresses() == 0;
        (exactly && offered.min(not_offered) > 1).then_some((offered, not_offered))
    }

    /// The most frequent failure, or if none failed in the series, that of the experiment with failed
    /// offers.
    pub(super) fn failure_of_offers(&self) -> Option<(Failure, &str)> {
        let of_breaks = || Some((self.breaks?.failure?, self.breaks?.error.as_deref()?));
        self.most_frequent_failure().or_else(of_breaks)
    }

    /// Whether the server issued no ticket in any resumed handshake of TLS 1.3.
    pub(super) fn renews_nothing(&self) -> bool {
        let is_resumed =
            |row: &&ConnectionRow| row.resumed && row.protocol.as_deref() == Some("TLS 1.3");
        let mut resumed = self.rows.iter().filter(is_resumed).peekable();
        resumed.peek().is_some() && resumed.all(|row| row.tickets == 0)
    }

    /// Whether the server accepted a ticket twice.
    pub(super) fn accepts_a_ticket_twice(&self) -> bool {
        self.twice.is_some_and(|row| row.first && row.second)
    }

    pub(super) fn is_postgres(&self) -> bool {
        self.options.starttls == Some(StartTls::Postgres)
    }

    /// Whether the first of two offers of one ticket was resumed; `None` if there was none. The
    /// second is the server's choice, and says nothing of its sessions.
    pub(super) fn first_of_twice(&self) -> Option<bool> {
        let offered = self.twice.filter(|row| row.first || row.error.is_none());
        offered.map(|row| row.first)
    }

    /// Sessions offered, experiments included.
    pub(super) fn offered_in_all(&self) -> usize {
        self.offered() + self.offered_at_addresses() + usize::from(self.first_of_twice().is_some())
    }

    /// Sessions resumed, experiments included.
    pub(super) fn resumed_in_all(&self) -> usize {
        self.resumed()
            + self.resumed_at_addresses()
            + usize::from(self.first_of_twice() == Some(true))
    }

    /// See [`versions`].
    pub(super) fn versions(&self) -> Option<String> {
        versions(self.rows)
    }

    /// Observations to add to a verdict with this code.
    pub(super) fn notes(&self, code: Code) -> Vec<String> {
        let mut notes = Vec::new();
        let failed = self.failed_addresses();
        if code != Code::AddressFailed && !failed.is_empty() {
            notes.push(format!("handshakes failed at {}", failed.join(", ")));
        }
        if let Some(versions) = self.versions()
            && self.declined() == 0
        {
            notes.push(format!("it speaks {versions}"));
        }
        let second = self.twice.filter(|row| row.first && row.error.is_none());
        if second.is_some_and(|row| !row.second) {
            notes.push("a ticket that was offered twice was declined the second time".to_owned());
        }
        let is_said = code == Code::TicketsUsedUp && self.burst.is_none();
        if !is_said && self.renews_nothing() && self.accepts_a_ticket_twice() {
            notes.push(
                "it issues no ticket after a resumed handshake and accepts a ticket twice, so a \
                 client that uses each ticket once makes a full handshake when they are used up"
                    .to_owned(),
            );
        }
        notes.extend(self.addresses_note());
        notes.extend(self.tier.into_iter().flat_map(tier_problems));
        notes
    }
}

/// How many connections had which TLS version, the newest first; `None` if all had the same.
pub(crate) fn versions(rows: &[ConnectionRow]) -> Option<String> {
    let mut counts = BTreeMap::new();
    for protocol in rows.iter().filter_map(|row| row.protocol.as_deref()) {
        *counts.entry(protocol).or_insert(0_usize) += 1;
    }
    let mut parts = Vec::new();
    for (protocol, count) in counts.into_iter().rev() {
        parts.push(match (parts.len(), count) {
            (0, 1) => format!("{protocol} in 1 connection"),
            (0, _) => format!("{protocol} in {count} connections"),
            _ => format!("{protocol} in {count}"),
        });
    }
    (parts.len() > 1).then(|| parts.join(" and "))
}

fn tier_problems(tier: &TierReport) -> impl Iterator<Item = String> {
    let stats = &tier.stats;
    let failed = (stats.failures > 0).then(|| {
        let count = stats.failures;
        format!("the store failed ({count}x): is it running, and is it writable?")
    });
    let incomplete = (!tier.complete).then(|| "the store does not have all sessions".to_owned());
    let other_keys = (stats.rejected_unknown_key > 0).then(|| {
        let count = stats.rejected_unknown_key;
        format!("{count} records of the store are sealed with other keys: see --store-keys")
    });
    let rejected = stats.rejected() - stats.rejected_unknown_key;
    let rejected = (rejected > 0).then(|| {
        format!("{rejected} records of the store were rejected as changed, foreign or expired")
    });
    [failed, incomplete, other_keys, rejected]
        .into_iter()
        .flatten()
}

/// A number of seconds in the largest unit that divides it.
pub(crate) fn format_seconds(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match seconds {
        0 => "0 s".to_owned(),
        _ if seconds >= 2 * DAY && seconds.is_multiple_of(DAY) => format!("{} days", seconds / DAY),
        _ if seconds.is_multiple_of(HOUR) => format!("{} h", seconds / HOUR),
        _ if seconds.is_multiple_of(MINUTE) => format!("{} min", seconds / MINUTE),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_in_the_largest_unit_that_divides_them() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (90, "90 s"),
            (300, "5 min"),
            (7_200, "2 h"),
            (86_400, "24 h"),
            (604_800, "7 days"),
        ] {
            assert_eq!(format_seconds(seconds), expected);
        }
    }
}
