//! Counters of single servers, on request.

use crate::sync::{AtomicU64, Mutex, Ordering, lock};
use crate::{KeyRef, Outcome, SessionKey};

/// Counters of one server since [`SessionStore::watch`](crate::SessionStore::watch) was last called
/// for it, and its sessions stored now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default) // an older release did not write every field
)]
#[non_exhaustive]
pub struct ServerStats {
    /// Sessions stored.
    pub stored: u64,
    /// Sessions not stored, for any reason.
    pub refused: u64,
    /// Sessions returned to a connection.
    pub offered: u64,
    /// The single-use ones among them, which are thereby removed.
    pub taken: u64,
    /// Lookups that found no session.
    pub missed: u64,
    /// Connections that offered nothing because handshakes with a session had failed, or were often
    /// declined, though the store had one.
    pub avoided: u64,
    /// Handshakes reported as [`Outcome::Resumed`].
    pub resumed: u64,
    /// Handshakes reported as [`Outcome::Declined`].
    pub declined: u64,
    /// Handshakes reported as [`Outcome::Failed`], [`Outcome::Rejected`] or [`Outcome::Broken`].
    pub failed: u64,
    /// Handshakes reported as [`Outcome::Cancelled`].
    pub cancelled: u64,
    /// Handshakes made again without a session, after they had failed with one.
    pub retried: u64,
    /// Sessions stored now. The others that were stored and not taken have expired, or were
    /// evicted, replaced or removed.
    pub held: u64,
}

impl ServerStats {
    /// The counters with the names of their fields.
    pub fn counters(&self) -> [(&'static str, u64); 11] {
        let Self {
            stored,
            refused,
            offered,
            taken,
            missed,
            avoided,
            resumed,
            declined,
            failed,
            cancelled,
            retried,
            held: _,
        } = *self;
        [
            ("stored", stored),
            ("refused", refused),
            ("offered", offered),
            ("taken", taken),
            ("missed", missed),
            ("avoided", avoided),
            ("resumed", resumed),
            ("declined", declined),
            ("failed", failed),
            ("cancelled", cancelled),
            ("retried", retried),
        ]
    }

    /// The sessions stored now with the name of their field.
    pub fn gauges(&self) -> [(&'static str, u64); 1] {
        [("held", self.held)]
    }

    /// Adds the counters of another key, for a server that has several.
    pub fn add(&mut self, other: &Self) {
        let Self {
            stored,
            refused,
            offered,
            taken,
            missed,
            avoided,
            resumed,
            declined,
            failed,
            cancelled,
            retried,
            held,
        } = *other;
        self.stored += stored;
        self.refused += refused;
        self.offered += offered;
        self.taken += taken;
        self.missed += missed;
        self.avoided += avoided;
        self.resumed += resumed;
        self.declined += declined;
        self.failed += failed;
        self.cancelled += cancelled;
        self.retried += retried;
        self.held += held;
    }

    pub(crate) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Resumed => self.resumed += 1,
            Outcome::Declined => self.declined += 1,
            Outcome::Failed | Outcome::Rejected | Outcome::Broken => self.failed += 1,
            Outcome::Cancelled | Outcome::Distrusted => self.cancelled += 1,
            Outcome::RejectedLate | Outcome::Full | Outcome::FullFailed | Outcome::Succeeded => {}
        }
    }
}

/// The watched servers. While there are none, an operation costs one atomic load.
pub(crate) struct Watched {
    // invariant: the length of `servers`
    watched: AtomicU64,
    servers: Mutex<Vec<(SessionKey, ServerStats)>>,
}

impl Watched {
    pub(crate) fn new() -> Self {
        Self {
            watched: AtomicU64::new(0),
            servers: Mutex::new(Vec::new()),
        }
    }

    /// Starts counting, from zero.
    pub(crate) fn add(&self, key: KeyRef<'_>) {
        self.update(|servers| {
            servers.retain(|(watched, _)| watched.as_key() != key);
            servers.push((key.to_key(), ServerStats::default()));
        });
    }

    /// Stops counting.
    pub(crate) fn remove(&self, key: KeyRef<'_>) {
        self.update(|servers| servers.retain(|(watched, _)| watched.as_key() != key));
    }

    /// The counters of a server; `None` if it is not watched.
    pub(crate) fn get(&self, key: KeyRef<'_>) -> Option<ServerStats> {
        let mut found = None;
        self.count(&key, |stats| found = Some(*stats));
        found
    }

    /// The servers in the order in which they were added.
    pub(crate) fn keys(&self) -> Vec<SessionKey> {
        let servers = lock(&self.servers);
        servers.iter().map(|(key, _)| key.clone()).collect()
    }

    /// Changes the counters of a server if it is watched.
    #[inline]
    pub(crate) fn count(&self, key: &KeyRef<'_>, count: impl FnOnce(&mut ServerStats)) {
        if self.watched.load(Ordering::Relaxed) > 0 {
            self.count_if_watched(key, count);
        }
    }

    #[cold]
    fn count_if_watched(&self, key: &KeyRef<'_>, count: impl FnOnce(&mut ServerStats)) {
        let mut servers = lock(&self.servers);
        let watched = servers
            .iter_mut()
            .find(|(watched, _)| watched.as_key() == *key);
        if let Some((_, stats)) = watched {
            count(stats);
        }
    }

    fn update(&self, update: impl FnOnce(&mut Vec<(SessionKey, ServerStats)>)) {
        let mut servers = lock(&self.servers);
        update(&mut servers);
        self.watched.store(servers.len() as u64, Ordering::Relaxed);
    }
}
