//! What was seen, counted.

use std::collections::BTreeMap;

use super::Code;
use crate::client::HandedOver;
use crate::finding::{AddressRow, AgainRow, BurstRow, SessionKind, TwiceRow};
use crate::{ConnectionRow, Failure, Options, StartTls};

/// All that a verdict is made of.
pub(crate) struct Evidence<'a> {
    pub(crate) options: &'a Options,
    pub(crate) rows: &'a [ConnectionRow],
    pub(crate) addresses: &'a [AddressRow],
    /// How many addresses the name has.
    pub(crate) addresses_known: usize,
    pub(crate) twice: Option<&'a TwiceRow>,
    pub(crate) again: Option<&'a AgainRow>,
    pub(crate) burst: Option<&'a BurstRow>,
    pub(crate) store: Option<&'a HandedOver>,
}

impl Evidence<'_> {
    pub(super) fn count(&self, which: impl Fn(&ConnectionRow) -> bool) -> usize {
        self.rows.iter().filter(|row| which(row)).count()
    }

    pub(super) fn offered(&self) -> usize {
        self.count(|row| row.offered)
    }

    pub(super) fn resumed(&self) -> usize {
        self.count(|row| row.resumed)
    }

    pub(super) fn declined(&self) -> usize {
        self.count(|row| row.offered && !row.resumed)
    }

    /// Connections after the first that had no session left, though some had come.
    pub(super) fn used_up(&self) -> usize {
        self.count(|row| row.connection > 1 && !row.offered && row.sessions_before > 0)
    }

    /// Connections after the first that began before any session had come.
    pub(super) fn nothing_yet(&self) -> usize {
        self.count(|row| row.connection > 1 && !row.offered && row.sessions_before == 0)
    }

    /// Connections whose session can only have come from the store beyond memory.
    pub(super) fn of_store(&self) -> usize {
        if self.options.store.beyond().is_none() {
            return 0; // it came while this connection began
        }
        self.count(|row| row.offered && row.sessions_before == 0)
    }

    pub(super) fn tickets(&self) -> usize {
        self.rows.iter().map(|row| row.tickets).sum()
    }

    /// The most sessions that a full handshake brought.
    pub(super) fn tickets_of_full(&self) -> usize {
        let full = self.rows.iter().filter(|row| !row.resumed);
        full.map(|row| row.tickets).max().unwrap_or_default()
    }

    /// The shortest life of a session, as far as it can be seen. In TLS 1.2 zero is "not said".
    pub(super) fn lifetime(&self) -> Option<u64> {
        let said = |row: &&ConnectionRow| {
            row.protocol.as_deref() != Some("TLS 1.2") || row.lifetime_s != Some(0)
        };
        let rows = self.rows.iter().filter(said);
        rows.filter_map(|row| row.lifetime_s).min()
    }

    /// Whether all sessions that came are of this kind.
    pub(super) fn only(&self, kind: SessionKind) -> bool {
        let mut kinds = self.rows.iter().filter_map(|row| row.session).peekable();
        kinds.peek().is_some() && kinds.all(|one| one == kind)
    }

    /// Whether TLS 1.2 was spoken, and nothing else.
    pub(super) fn tls12(&self) -> bool {
        let mut spoken = self.rows.iter().filter_map(|row| row.protocol.as_deref());
        spoken.all(|protocol| protocol == "TLS 1.2")
    }

    /// The failure that there was most often, and its first explanation.
    pub(super) fn most_frequent_failure(&self) -> Option<(Failure, &str)> {
        let mut often = BTreeMap::new();
        for row in self.rows {
            if let (Some(failure), Some(why)) = (row.failure, row.error.as_deref()) {
                // The same failure may be told in other words each time.
                often.entry(failure).or_insert((0_usize, why)).0 += 1;
            }
        }
        let (failure, (_, why)) = often.into_iter().max_by_key(|(_, (times, _))| *times)?;
        Some((failure, why))
    }

    pub(super) fn is_postgres(&self) -> bool {
        self.options.starttls == Some(StartTls::Postgres)
    }

    /// Whether the ticket that was to be offered twice was resumed the first time; nothing if that
    /// could not be asked. The second time is the server's choice, and says nothing of its sessions.
    pub(super) fn first_of_twice(&self) -> Option<bool> {
        let asked = self.twice.filter(|row| row.first || row.error.is_none());
        asked.map(|row| row.first)
    }

    /// Sessions that were offered, those of experiments included.
    pub(super) fn offered_in_all(&self) -> usize {
        self.offered() + self.offered_at_addresses() + usize::from(self.first_of_twice().is_some())
    }

    /// Sessions that were resumed, those of experiments included.
    pub(super) fn resumed_in_all(&self) -> usize {
        self.resumed()
            + self.resumed_at_addresses()
            + usize::from(self.first_of_twice() == Some(true))
    }

    /// What the connections spoke, if it was not always the same: how many spoke which version,
    /// the newest first.
    pub(super) fn versions(&self) -> Option<String> {
        versions(self.rows)
    }

    /// What is worth saying beside the answer.
    pub(super) fn asides(&self, code: Code) -> Vec<String> {
        let mut asides = Vec::new();
        let failed = self.failed_addresses();
        if code != Code::AddressFailed && !failed.is_empty() {
            asides.push(format!("handshakes failed at {}", failed.join(", ")));
        }
        if let Some(versions) = self.versions()
            && self.declined() == 0
        {
            asides.push(format!("it speaks {versions}"));
        }
        let second = self.twice.filter(|row| row.first && row.error.is_none());
        if second.is_some_and(|row| !row.second) {
            asides.push("a ticket that was offered twice was declined the second time".to_owned());
        }
        asides.extend(self.about_addresses());
        asides.extend(self.store.into_iter().flat_map(troubles));
        asides
    }
}

/// How many connections spoke which version of TLS, the newest first; nothing if all spoke the same.
pub(crate) fn versions(rows: &[ConnectionRow]) -> Option<String> {
    let mut spoken = BTreeMap::new();
    for protocol in rows.iter().filter_map(|row| row.protocol.as_deref()) {
        *spoken.entry(protocol).or_insert(0_usize) += 1;
    }
    let mut said = Vec::new();
    for (protocol, times) in spoken.into_iter().rev() {
        said.push(match (said.len(), times) {
            (0, 1) => format!("{protocol} in 1 connection"),
            (0, _) => format!("{protocol} in {times} connections"),
            _ => format!("{protocol} in {times}"),
        });
    }
    (said.len() > 1).then(|| said.join(" and "))
}

/// What kept the store from being of use.
fn troubles(store: &HandedOver) -> impl Iterator<Item = String> {
    let stats = &store.stats;
    let failed = (stats.failures > 0).then(|| {
        let often = stats.failures;
        format!("the store failed ({often}x): is it up, and may it be written?")
    });
    let incomplete = (!store.complete).then(|| "it does not have all sessions".to_owned());
    let other_keys = (stats.rejected_unknown_key > 0).then(|| {
        let count = stats.rejected_unknown_key;
        format!("{count} of its records are sealed with other keys: see --store-keys")
    });
    let rejected = stats.rejected() - stats.rejected_unknown_key;
    let rejected = (rejected > 0)
        .then(|| format!("{rejected} of its records were rejected as changed, foreign or expired"));
    [failed, incomplete, other_keys, rejected]
        .into_iter()
        .flatten()
}

/// Seconds as people say them.
pub(crate) fn span(seconds: u64) -> String {
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
    fn times_as_people_say_them() {
        for (seconds, said) in [
            (0, "0 s"),
            (59, "59 s"),
            (90, "90 s"),
            (300, "5 min"),
            (7_200, "2 h"),
            (86_400, "24 h"),
            (604_800, "7 days"),
        ] {
            assert_eq!(span(seconds), said);
        }
    }
}
