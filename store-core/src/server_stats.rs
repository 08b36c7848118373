//! Counters of single servers, for those that someone asked for.

use crate::sync::{AtomicU64, Mutex, Ordering, PoisonError};
use crate::{KeyRef, Outcome, SessionKey};

/// What one server's sessions have come to since it is watched, and what is held of it.
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
    /// Sessions not stored, for whatever reason.
    pub refused: u64,
    /// Sessions handed to a connection.
    pub offered: u64,
    /// Those of them that were single-use, and thereby gone.
    pub taken: u64,
    /// Offers for which there was nothing.
    pub missed: u64,
    /// Offered sessions that the server resumed, as reported by the backend.
    pub resumed: u64,
    /// Offered sessions instead of which the server made a full handshake, likewise.
    pub declined: u64,
    /// Offered sessions whose handshake failed, likewise.
    pub failed: u64,
    /// Offered sessions whose handshake the application gave up, likewise.
    pub cancelled: u64,
    /// Sessions held now. What was stored and is neither taken nor held has expired, or was
    /// evicted, replaced or removed.
    pub held: u64,
}

impl ServerStats {
    /// Adds those of another server, where one goes by several keys.
    pub fn add(&mut self, other: &Self) {
        let Self {
            stored,
            refused,
            offered,
            taken,
            missed,
            resumed,
            declined,
            failed,
            cancelled,
            held,
        } = *other;
        self.stored += stored;
        self.refused += refused;
        self.offered += offered;
        self.taken += taken;
        self.missed += missed;
        self.resumed += resumed;
        self.declined += declined;
        self.failed += failed;
        self.cancelled += cancelled;
        self.held += held;
    }

    /// Counts an outcome.
    pub(crate) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Resumed => self.resumed += 1,
            Outcome::Declined => self.declined += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Cancelled => self.cancelled += 1,
        }
    }
}

/// The servers that are watched. Costs one look at a number while there are none.
pub(crate) struct Watched {
    // invariant: how many there are in `servers`
    count: AtomicU64,
    servers: Mutex<Vec<(SessionKey, ServerStats)>>,
}

impl Watched {
    pub(crate) fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            servers: Mutex::new(Vec::new()),
        }
    }

    /// Begins to watch a server, with all counters at zero.
    pub(crate) fn add(&self, key: KeyRef<'_>) {
        self.change(|servers| {
            servers.retain(|(watched, _)| watched.as_key() != key);
            servers.push((key.to_key(), ServerStats::default()));
        });
    }

    /// Watches a server no longer.
    pub(crate) fn remove(&self, key: KeyRef<'_>) {
        self.change(|servers| servers.retain(|(watched, _)| watched.as_key() != key));
    }

    /// The counters of a server that is watched.
    pub(crate) fn get(&self, key: KeyRef<'_>) -> Option<ServerStats> {
        let mut found = None;
        self.note(key, |stats| found = Some(*stats));
        found
    }

    /// Counts something that happened to a server, if it is watched.
    #[inline]
    pub(crate) fn note(&self, key: KeyRef<'_>, note: impl FnOnce(&mut ServerStats)) {
        if self.count.load(Ordering::Relaxed) > 0 {
            self.note_if_watched(key, note);
        }
    }

    #[cold]
    fn note_if_watched(&self, key: KeyRef<'_>, note: impl FnOnce(&mut ServerStats)) {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = servers
            .iter_mut()
            .find(|(watched, _)| watched.as_key() == key);
        if let Some((_, stats)) = watched {
            note(stats);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<(SessionKey, ServerStats)>)) {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut servers);
        self.count.store(servers.len() as u64, Ordering::Relaxed);
    }
}
