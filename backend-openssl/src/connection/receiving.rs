//! The sessions that a connection receives, and whose peer they stand for.

use std::sync::Arc;
use std::time::Duration;

use openssl::ssl::{SslRef, SslSessionRef};
use store_core::{Entry, Timestamp};

use super::{Connection, State};
use crate::ffi;
use crate::offered::OfferedSession;
use crate::peer::PeerInfo;
use crate::session::Session;
use crate::verification::Verification;

impl Connection {
    /// Stores a session that OpenSSL has received. Called within the `new_session` callback.
    pub(crate) fn session_received(&self, ssl: &SslRef, session: &SslSessionRef) {
        let mut state = self.state();
        if let Some((entry, now)) = self.received(&mut state, ssl, session) {
            self.finish(&mut state, None, None, Some(entry), now);
        }
    }

    /// An entry for a session that OpenSSL has received, and the time. `None` if it is not to be
    /// stored.
    pub(super) fn received(
        &self,
        state: &mut State,
        ssl: &SslRef,
        session: &SslSessionRef,
    ) -> Option<(Entry<Session>, Timestamp)> {
        state.received = state.received.saturating_add(1);
        state.lifetime = Some(Duration::from_secs(ffi::ticket_lifetime(session)));
        state.max_early_data = Some(session.max_early_data());
        if state.revoked {
            return None;
        }
        // A resumed handshake verifies nothing: its sessions inherit verification and age from the
        // session that was offered. If the application set another one, neither is known.
        let (peer, established) = if ssl.session_reused() {
            let offered = self.offered.as_ref()?;
            (self.inherited_peer(offered), Some(offered.established))
        } else {
            let peer = self.verified_peer(ssl, state.peer.take())?;
            state.peer = Some(Arc::clone(&peer));
            (peer, None)
        };
        let now = self.settings.sessions.clock().now();
        let reuse = self.settings.sessions.reuse_tickets();
        let not_after = peer.not_after;
        let (mut entry, in_use) = Session::received(session, peer, reuse, now)?;
        entry.expires = entry.expires.min(not_after);
        entry.established = established.unwrap_or(now);
        if let Some(data) = &state.application_data {
            // Else that of the session that was resumed, which its peer has.
            entry.set_application_data(Option::clone(data));
        }
        state.in_use = in_use;
        Some((entry, now))
    }

    /// The peer of a full handshake, `known` from an earlier session. `None` if its sessions must not be
    /// stored.
    fn verified_peer(&self, ssl: &SslRef, known: Option<Arc<PeerInfo>>) -> Option<Arc<PeerInfo>> {
        let verification = Verification::after_handshake(ssl)?;
        let of_offered = || self.offered.as_ref().map(|it| &it.peer.verification);
        // If the requirements have changed since `prepare`, it is unknown which ones were checked.
        let unchanged = Some(&verification) == self.required.as_ref().or_else(of_offered);
        let policy = self.settings.sessions.peer_certificate();
        unchanged.then(|| PeerInfo::new(ssl, verification, policy, known))
    }

    /// The peer of the offered session, which a resumed handshake inherits, with this connection's
    /// policy: the offered session may have another, from a tier or from another connection.
    fn inherited_peer(&self, offered: &OfferedSession) -> Arc<PeerInfo> {
        let policy = self.settings.sessions.peer_certificate();
        if offered.peer.policy == policy {
            return Arc::clone(&offered.peer);
        }
        let peer = PeerInfo::clone(&offered.peer);
        Arc::new(PeerInfo { policy, ..peer })
    }
}
