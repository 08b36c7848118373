//! Evidence of `--all-addresses`.

use super::evidence::Evidence;
use crate::AddressRow;
use crate::session_source::MAX_ADDRESSES;

/// All offers of sessions of one address at one address.
pub(super) struct AddressPair<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    /// The TLS version of the last connection to `to`.
    pub(super) protocol: Option<&'a str>,
    pub(super) offered: usize,
    pub(super) resumed: usize,
    /// Whether a connection failed.
    pub(super) failed: bool,
}

impl AddressPair<'_> {
    /// Whether an address was offered its own sessions.
    pub(super) fn is_own(&self) -> bool {
        self.from == self.to
    }

    /// Whether every offer was declined. One declined offer may be chance.
    pub(super) fn always_declined(&self) -> bool {
        self.offered > 1 && self.resumed == 0
    }
}

/// An address that resumes nothing, while another one of the same name resumes.
pub(super) struct NonResumingAddress<'a> {
    pub(super) address: &'a str,
    /// Number of its own sessions that it declined; zero if it issues none.
    pub(super) declined: usize,
}

impl Evidence<'_> {
    /// The pairs of addresses, in the order of their first connection.
    pub(super) fn pairs(&self) -> Vec<AddressPair<'_>> {
        let mut pairs: Vec<AddressPair<'_>> = Vec::new();
        for row in self.addresses {
            let known = pairs
                .iter()
                .position(|pair| pair.from == row.from && pair.to == row.to);
            let index = known.unwrap_or_else(|| {
                pairs.push(AddressPair {
                    from: &row.from,
                    to: &row.to,
                    protocol: None,
                    offered: 0,
                    resumed: 0,
                    failed: false,
                });
                pairs.len() - 1
            });
            let pair = &mut pairs[index];
            pair.protocol = row.protocol.as_deref().or(pair.protocol);
            pair.offered += usize::from(is_answered(row));
            pair.resumed += usize::from(row.resumed);
            pair.failed |= row.failure.is_some();
        }
        pairs
    }

    pub(super) fn offered_at_addresses(&self) -> usize {
        self.addresses.iter().filter(|row| is_answered(row)).count()
    }

    pub(super) fn resumed_at_addresses(&self) -> usize {
        self.addresses.iter().filter(|row| row.resumed).count()
    }

    /// Addresses that do not even resume their own sessions; empty if no address does.
    pub(super) fn non_resuming_addresses(&self) -> Vec<NonResumingAddress<'_>> {
        let own: Vec<_> = self
            .pairs()
            .into_iter()
            .filter(AddressPair::is_own)
            .collect();
        if own.iter().all(|pair| pair.resumed == 0) {
            return Vec::new();
        }
        own.into_iter()
            .filter(|pair| pair.resumed == 0 && !pair.failed && !self.resumed_at(pair.to))
            // One declined offer may be chance.
            .filter(|pair| pair.offered != 1)
            .map(|pair| NonResumingAddress {
                address: pair.to,
                declined: pair.offered,
            })
            .collect()
    }

    /// Whether a connection of the series resumed at this address.
    fn resumed_at(&self, address: &str) -> bool {
        self.rows
            .iter()
            .any(|row| row.resumed && row.address.as_deref() == Some(address))
    }

    /// Pairs of different addresses, the second of which always declines sessions of the first.
    pub(super) fn differing_pairs(&self) -> Vec<AddressPair<'_>> {
        let pairs = self.pairs().into_iter();
        pairs
            .filter(|pair| !pair.is_own() && pair.always_declined())
            .collect()
    }

    /// Whether different ticket keys are the only explanation: both addresses always decline each
    /// other's sessions, and nothing else was declined.
    pub(super) fn keys_must_differ(&self, pair: &AddressPair<'_>) -> bool {
        let pairs = self.pairs();
        let own_declined = pairs
            .iter()
            .any(|other| other.is_own() && other.resumed < other.offered);
        let sometimes_declined = pairs
            .iter()
            .any(|other| other.resumed > 0 && other.resumed < other.offered);
        let reverse_declined = pairs
            .iter()
            .any(|other| is_reverse(pair, other) && other.always_declined());
        reverse_declined && !own_declined && !sometimes_declined && self.declined() == 0
    }

    /// Whether the first address of the pair resumed sessions of the second.
    pub(super) fn reverse_resumed(&self, pair: &AddressPair<'_>) -> bool {
        self.pairs()
            .iter()
            .any(|other| is_reverse(pair, other) && other.resumed > 0)
    }

    /// The TLS version of an address with its own sessions.
    pub(super) fn version_at(&self, address: &str) -> Option<&str> {
        let pairs = self.pairs();
        let mut own = pairs.iter().filter(|pair| pair.is_own());
        own.find(|pair| pair.to == address)?.protocol
    }

    /// Addresses to which a connection failed.
    pub(super) fn failed_addresses(&self) -> Vec<&str> {
        let failed = self.addresses.iter().filter(|row| row.failure.is_some());
        let mut failed: Vec<_> = failed.map(|row| row.to.as_str()).collect();
        failed.sort_unstable();
        failed.dedup();
        failed
    }

    /// A note on how many sessions were resumed at another address.
    pub(super) fn addresses_note(&self) -> Option<String> {
        if self.addresses.is_empty() {
            return None;
        }
        let pairs = self.pairs();
        let tested = pairs.iter().filter(|pair| pair.is_own()).count();
        let across = pairs.iter().filter(|pair| !pair.is_own());
        let (offered, resumed) = across.fold((0, 0), |(offered, resumed), pair| {
            (offered + pair.offered, resumed + pair.resumed)
        });
        let of_all = if self.addresses_known > MAX_ADDRESSES {
            format!(" of {}", self.addresses_known)
        } else {
            String::new()
        };
        Some(match (tested, offered) {
            (1, _) => "there is one address only, and none to compare it with".to_owned(),
            (_, 0) => format!("no two of {tested}{of_all} addresses could be compared"),
            _ => format!(
                "at {tested}{of_all} addresses, {resumed} of {offered} sessions of one were \
                 resumed at another"
            ),
        })
    }
}

/// Whether a session was offered in a handshake that succeeded: it was resumed or declined.
fn is_answered(row: &AddressRow) -> bool {
    row.offered && row.failure.is_none()
}

fn is_reverse(pair: &AddressPair<'_>, other: &AddressPair<'_>) -> bool {
    other.from == pair.to && other.to == pair.from
}
