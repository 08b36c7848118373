//! What a store has done and holds.

/// What became of a session that a connection offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The server resumed it.
    Resumed,
    /// The handshake succeeded as a full one.
    Declined,
    /// The handshake failed.
    Failed,
    /// The application gave the handshake up before it was known how it ends.
    Cancelled,
}

/// Counters since the store was made, and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default) // an older release did not write every field
)]
#[non_exhaustive]
pub struct Stats {
    /// Sessions stored.
    pub stored: u64,
    /// Sessions handed to a connection: `taken` and `copied` together.
    pub offered: u64,
    /// Single-use sessions handed out, and thereby gone.
    pub taken: u64,
    /// Copies of reusable sessions handed out.
    pub copied: u64,
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
    /// Sessions dropped because their time was over or lay in the future.
    pub expired: u64,
    /// Sessions dropped because the space was needed: for another server, or for a newer session
    /// of the same one.
    pub evicted: u64,
    /// Reusable sessions replaced by a newer one of the same server.
    pub replaced: u64,
    /// Sessions removed: `remove`, `clear`, `clear_server`, and all that were older than one whose
    /// handshake failed.
    pub removed: u64,
    /// Single-use sessions that left memory for a place behind the store.
    pub left: u64,
    /// Sessions that came back from there, single-use ones or copies of reusable ones.
    pub returned: u64,
    /// Sessions not stored because they were too large.
    pub refused_too_large: u64,
    /// Sessions not stored because they had no time to live.
    pub refused_expired: u64,
    /// Sessions not stored because their server was cleared after their connection began.
    pub refused_cleared: u64,
    /// Servers that hold a session now.
    pub servers: u64,
    /// Sessions held now.
    pub sessions: u64,
    /// Bytes held now, the store's own bookkeeping included.
    pub bytes: u64,
}

impl Stats {
    /// Sessions not stored, for whatever reason.
    pub fn refused(&self) -> u64 {
        self.refused_too_large + self.refused_expired + self.refused_cleared
    }

    /// The counters by name, each the name of its field.
    pub fn counters(&self) -> [(&'static str, u64); 18] {
        let Self {
            stored,
            offered,
            taken,
            copied,
            missed,
            resumed,
            declined,
            failed,
            cancelled,
            expired,
            evicted,
            replaced,
            removed,
            left,
            returned,
            refused_too_large,
            refused_expired,
            refused_cleared,
            servers: _,
            sessions: _,
            bytes: _,
        } = *self;
        [
            ("stored", stored),
            ("offered", offered),
            ("taken", taken),
            ("copied", copied),
            ("missed", missed),
            ("resumed", resumed),
            ("declined", declined),
            ("failed", failed),
            ("cancelled", cancelled),
            ("expired", expired),
            ("evicted", evicted),
            ("replaced", replaced),
            ("removed", removed),
            ("left", left),
            ("returned", returned),
            ("refused_too_large", refused_too_large),
            ("refused_expired", refused_expired),
            ("refused_cleared", refused_cleared),
        ]
    }

    /// What the store holds now, by name, each the name of its field.
    pub fn gauges(&self) -> [(&'static str, u64); 3] {
        [
            ("servers", self.servers),
            ("sessions", self.sessions),
            ("bytes", self.bytes),
        ]
    }

    /// Adds another part of the store.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self {
            stored,
            offered,
            taken,
            copied,
            missed,
            resumed,
            declined,
            failed,
            cancelled,
            expired,
            evicted,
            replaced,
            removed,
            left,
            returned,
            refused_too_large,
            refused_expired,
            refused_cleared,
            servers,
            sessions,
            bytes,
        } = other;
        self.stored += stored;
        self.offered += offered;
        self.taken += taken;
        self.copied += copied;
        self.missed += missed;
        self.resumed += resumed;
        self.declined += declined;
        self.failed += failed;
        self.cancelled += cancelled;
        self.expired += expired;
        self.evicted += evicted;
        self.replaced += replaced;
        self.removed += removed;
        self.left += left;
        self.returned += returned;
        self.refused_too_large += refused_too_large;
        self.refused_expired += refused_expired;
        self.refused_cleared += refused_cleared;
        self.servers += servers;
        self.sessions += sessions;
        self.bytes += bytes;
    }
}
