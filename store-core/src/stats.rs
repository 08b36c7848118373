//! Counters of a store.

/// How a handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The server resumed the session that was offered.
    Resumed,
    /// A session was offered; the server made a full handshake, which succeeded.
    Declined,
    /// A session was offered; the transport ended, or nothing came until the deadline.
    Failed,
    /// A session was offered; the server ended the handshake by an alert, or sent what is not TLS or
    /// cannot be decrypted.
    Rejected,
    /// A session was offered; the server ended the handshake by the alert `internal_error`: the
    /// reason is the server's own, not the session.
    Broken,
    /// The application cancelled the handshake before its outcome was known. After 2 seconds or more,
    /// no answer counts as a failure of the server.
    Cancelled,
    /// A session was offered; the server made a full handshake, and its certificate was not accepted.
    /// Counted as cancelled: the session is not to blame, but without one another machine may answer.
    Distrusted,
    /// The server rejected a handshake that had already been reported as [`Resumed`](Self::Resumed), by
    /// an alert as its first answer.
    RejectedLate,
    /// No session was offered; the handshake succeeded.
    Full,
    /// No session was offered; the handshake failed, or the application cancelled it.
    FullFailed,
    /// The handshake succeeded, and the client does not know whether a session was offered or
    /// resumed. It looks sessions up by
    /// [`LookUp::reports`](crate::LookUp::reports).
    Succeeded,
}

impl Outcome {
    /// The outcome of a handshake in which a session was offered, and which the server ended by the
    /// fatal alert of this number (RFC 8446, section 6), or otherwise (`None`).
    pub fn of_alert(alert: Option<u8>) -> Self {
        const INTERNAL_ERROR: u8 = 80;
        match alert {
            Some(INTERNAL_ERROR) => Self::Broken,
            _ => Self::Rejected,
        }
    }

    /// Whether a session was offered, and the handshake failed.
    pub(crate) fn is_failed_offer(self) -> bool {
        matches!(
            self,
            Self::Failed | Self::Rejected | Self::Broken | Self::Distrusted | Self::RejectedLate
        )
    }
}

/// Counters since the store was created, and its current contents.
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
    /// Sessions returned to a connection: the sum of `taken` and `copied`.
    pub offered: u64,
    /// Single-use sessions returned to a connection, and thereby removed.
    pub taken: u64,
    /// Copies of reusable sessions returned to a connection.
    pub copied: u64,
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
    /// Sessions dropped because they had expired, or were stored at a time that is now the future.
    pub expired: u64,
    /// Sessions dropped to make room for another server, or for a newer session of the same server.
    pub evicted: u64,
    /// Reusable sessions replaced by a newer one of the same server.
    pub replaced: u64,
    /// Sessions removed by `remove`, `remove_up_to`, `remove_reusable`, `clear` or `clear_server`.
    pub removed: u64,
    /// Single-use sessions moved from memory to a tier.
    pub left: u64,
    /// Sessions restored from a tier: single-use ones, and copies of reusable ones.
    pub returned: u64,
    /// Sessions not stored: too large.
    pub refused_too_large: u64,
    /// Sessions not stored: their ticket is too large.
    pub refused_ticket_too_large: u64,
    /// Sessions not stored: already expired, or with a lifetime of zero.
    pub refused_expired: u64,
    /// Sessions not stored: their server was cleared after their connection began.
    pub refused_cleared: u64,
    /// Servers with a session now.
    pub servers: u64,
    /// Sessions stored now.
    pub sessions: u64,
    /// Bytes occupied now, the store's own bookkeeping included.
    pub bytes: u64,
}

impl Stats {
    /// Sessions not stored, for any reason.
    pub fn refused(&self) -> u64 {
        self.refused_too_large
            + self.refused_ticket_too_large
            + self.refused_expired
            + self.refused_cleared
    }

    /// The counters with the names of their fields.
    pub fn counters(&self) -> [(&'static str, u64); 21] {
        let Self {
            stored,
            offered,
            taken,
            copied,
            missed,
            avoided,
            resumed,
            declined,
            failed,
            cancelled,
            retried,
            expired,
            evicted,
            replaced,
            removed,
            left,
            returned,
            refused_too_large,
            refused_ticket_too_large,
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
            ("avoided", avoided),
            ("resumed", resumed),
            ("declined", declined),
            ("failed", failed),
            ("cancelled", cancelled),
            ("retried", retried),
            ("expired", expired),
            ("evicted", evicted),
            ("replaced", replaced),
            ("removed", removed),
            ("left", left),
            ("returned", returned),
            ("refused_too_large", refused_too_large),
            ("refused_ticket_too_large", refused_ticket_too_large),
            ("refused_expired", refused_expired),
            ("refused_cleared", refused_cleared),
        ]
    }

    /// The current contents with the names of their fields.
    pub fn gauges(&self) -> [(&'static str, u64); 3] {
        [
            ("servers", self.servers),
            ("sessions", self.sessions),
            ("bytes", self.bytes),
        ]
    }

    /// Adds the numbers of another shard.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self {
            stored,
            offered,
            taken,
            copied,
            missed,
            avoided,
            resumed,
            declined,
            failed,
            cancelled,
            retried,
            expired,
            evicted,
            replaced,
            removed,
            left,
            returned,
            refused_too_large,
            refused_ticket_too_large,
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
        self.avoided += avoided;
        self.resumed += resumed;
        self.declined += declined;
        self.failed += failed;
        self.cancelled += cancelled;
        self.retried += retried;
        self.expired += expired;
        self.evicted += evicted;
        self.replaced += replaced;
        self.removed += removed;
        self.left += left;
        self.returned += returned;
        self.refused_too_large += refused_too_large;
        self.refused_ticket_too_large += refused_ticket_too_large;
        self.refused_expired += refused_expired;
        self.refused_cleared += refused_cleared;
        self.servers += servers;
        self.sessions += sessions;
        self.bytes += bytes;
    }
}
