//! What the addresses of the name showed.

use super::evidence::Evidence;
use crate::origin::MOST_ADDRESSES;

/// All that is known of sessions of one address, offered at one address.
pub(super) struct Pair<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    /// The version that was spoken where they were offered.
    pub(super) protocol: Option<&'a str>,
    pub(super) offered: usize,
    pub(super) resumed: usize,
    /// Whether a handshake failed.
    pub(super) failed: bool,
}

impl Pair<'_> {
    /// One address by itself.
    pub(super) fn is_own(&self) -> bool {
        self.from == self.to
    }

    /// Whether it was declined as often as it was asked, and not only once, which may be chance.
    pub(super) fn always_declined(&self) -> bool {
        self.offered > 1 && self.resumed == 0
    }
}

/// An address that resumes nothing, while another one of the same name resumes.
pub(super) struct Useless<'a> {
    pub(super) address: &'a str,
    /// How many of its own sessions it declined; none if it gives none.
    pub(super) declined: usize,
}

impl Evidence<'_> {
    /// In the order in which they were asked.
    pub(super) fn pairs(&self) -> Vec<Pair<'_>> {
        let mut pairs: Vec<Pair<'_>> = Vec::new();
        for row in self.addresses {
            let known = pairs
                .iter()
                .position(|pair| pair.from == row.from && pair.to == row.to);
            let index = known.unwrap_or_else(|| {
                pairs.push(Pair {
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
            pair.offered += usize::from(row.offered);
            pair.resumed += usize::from(row.resumed);
            pair.failed |= row.failure.is_some();
        }
        pairs
    }

    pub(super) fn offered_at_addresses(&self) -> usize {
        self.addresses.iter().filter(|row| row.offered).count()
    }

    pub(super) fn resumed_at_addresses(&self) -> usize {
        self.addresses.iter().filter(|row| row.resumed).count()
    }

    /// Addresses that do not even resume sessions of their own, if others do.
    pub(super) fn useless_addresses(&self) -> Vec<Useless<'_>> {
        let own: Vec<_> = self.pairs().into_iter().filter(Pair::is_own).collect();
        if own.iter().all(|pair| pair.resumed == 0) {
            return Vec::new();
        }
        own.into_iter()
            .filter(|pair| pair.resumed == 0 && !pair.failed && !self.resumed_at(pair.to))
            // Declined once only may be chance.
            .filter(|pair| pair.offered != 1)
            .map(|pair| Useless {
                address: pair.to,
                declined: pair.offered,
            })
            .collect()
    }

    /// Whether one of the connections resumed there.
    fn resumed_at(&self, address: &str) -> bool {
        self.rows
            .iter()
            .any(|row| row.resumed && row.address.as_deref() == Some(address))
    }

    /// Pairs of addresses the second of which always declines sessions of the first.
    pub(super) fn differing(&self) -> Vec<Pair<'_>> {
        let pairs = self.pairs().into_iter();
        pairs
            .filter(|pair| !pair.is_own() && pair.always_declined())
            .collect()
    }

    /// Whether the keys of the addresses must be what differs: declined each way, and nothing that
    /// was offered where it came from.
    pub(super) fn keys_differ(&self, pair: &Pair<'_>) -> bool {
        let pairs = self.pairs();
        let back = |other: &Pair<'_>| other.from == pair.to && other.to == pair.from;
        let own_declined = pairs
            .iter()
            .any(|other| other.is_own() && other.resumed < other.offered);
        let now_and_then = pairs
            .iter()
            .any(|other| other.resumed > 0 && other.resumed < other.offered);
        let back = pairs
            .iter()
            .any(|other| back(other) && other.always_declined());
        back && !own_declined && !now_and_then && self.declined() == 0
    }

    /// Whether sessions of the second were resumed at the first.
    pub(super) fn resumed_back(&self, pair: &Pair<'_>) -> bool {
        let pairs = self.pairs();
        let mut back = pairs
            .iter()
            .filter(|other| other.from == pair.to && other.to == pair.from);
        back.any(|other| other.resumed > 0)
    }

    /// The version that an address spoke by itself.
    pub(super) fn version_at(&self, address: &str) -> Option<&str> {
        let pairs = self.pairs();
        let mut own = pairs.iter().filter(|pair| pair.is_own());
        own.find(|pair| pair.to == address)?.protocol
    }

    /// Addresses where a handshake failed.
    pub(super) fn failed_addresses(&self) -> Vec<&str> {
        let failed = self.addresses.iter().filter(|row| row.failure.is_some());
        let mut failed: Vec<_> = failed.map(|row| row.to.as_str()).collect();
        failed.sort_unstable();
        failed.dedup();
        failed
    }

    pub(super) fn about_addresses(&self) -> Option<String> {
        if self.addresses.is_empty() {
            return None;
        }
        let pairs = self.pairs();
        let asked = pairs.iter().filter(|pair| pair.is_own()).count();
        let crossed = pairs.iter().filter(|pair| !pair.is_own());
        let (offered, resumed) = crossed.fold((0, 0), |(offered, resumed), pair| {
            (offered + pair.offered, resumed + pair.resumed)
        });
        let more = if self.addresses_known > MOST_ADDRESSES {
            format!(" of {}", self.addresses_known)
        } else {
            String::new()
        };
        Some(match (asked, offered) {
            (1, _) => "there is one address only, so none to compare it with".to_owned(),
            (_, 0) => format!("of {asked}{more} addresses, no two could be compared"),
            _ => format!(
                "at {asked}{more} addresses, {resumed} of {offered} sessions of one were resumed \
                 at another"
            ),
        })
    }
}
