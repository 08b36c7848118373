//! The session that a connection offered, and what later ones inherit from it.

use store_core::{Entry, EntryId, Protocol, Timestamp, Usage};

use crate::handle::TlsSession;

/// What the sessions of a settled handshake inherit.
#[derive(Clone, Copy)]
pub(super) struct Inherited {
    /// The session that was resumed, if any.
    pub(super) resumed: Option<EntryId>,
    /// The time of the full handshake.
    pub(super) established: Timestamp,
    /// The latest expiry of a TLS 1.2 session. After a resumed handshake rustls stores the same
    /// session again, with a lifetime that may be 0, "unspecified" (rustls issue 657).
    pub(super) reusable_until: Timestamp,
    /// When the certificates of the full handshake expire.
    pub(super) not_after: Timestamp,
}

impl Inherited {
    pub(super) fn apply<S: TlsSession>(self, entry: &mut Entry<S>) {
        entry.session.set_not_after(self.not_after);
        entry.expires = entry.expires.min(self.not_after);
        if entry.session.protocol() == Protocol::Tls12 {
            entry.expires = entry.expires.min(self.reusable_until);
        }
        entry.established = self.established;
    }
}

/// A session that was given to rustls.
#[derive(Clone, Copy)]
pub(super) struct Offered {
    pub(super) id: EntryId,
    pub(super) usage: Usage,
    pub(super) protocol: Protocol,
    pub(super) established: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) not_after: Timestamp,
}

impl Offered {
    /// The id of a reusable session, which can still be in the store.
    pub(super) fn reusable(self) -> Option<EntryId> {
        (self.usage == Usage::Reusable).then_some(self.id)
    }
}
