//! The session that a connection offers.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::ssl::{SslRef, SslSessionRef};
use store_core::{EntryId, Offer, Protocol, Timestamp, Usage};

use crate::ffi;
use crate::live::InUse;
use crate::peer::PeerInfo;
use crate::session::{Session, protocol};

/// Properties of the session that a connection offered. The session itself now belongs to OpenSSL.
pub(crate) struct OfferedSession {
    pub(crate) id: EntryId,
    pub(crate) usage: Usage,
    pub(crate) protocol: Protocol,
    pub(crate) established: Timestamp,
    pub(crate) peer: Arc<PeerInfo>,
    /// Bytes of early data that the session allows.
    pub(crate) max_early_data: u32,
}

impl OfferedSession {
    /// Offers a session in the handshake of `ssl`, and returns what the connection keeps of its
    /// object. `None` if OpenSSL cannot read or take it.
    #[inline]
    pub(crate) fn offer(ssl: &mut SslRef, offer: Offer<Session>) -> Option<(Self, Option<InUse>)> {
        let Offer { id, entry } = offer;
        let (usage, established) = (entry.usage, entry.established);
        let (mut live, in_use, peer) = entry.session.offered(usage)?;
        if usage == Usage::SingleUse {
            ffi::set_any_id(&mut live);
        }
        // A ticket that is used again carries none: the server may accept it once only.
        let forbids = || usage == Usage::Reusable || !sends_ticket(&live);
        if live.max_early_data() > 0 && forbids() {
            ffi::forbid_early_data(&mut live);
        }
        let max_early_data = live.max_early_data();
        let offered = Self {
            id,
            usage,
            protocol: protocol(&live),
            established,
            peer,
            max_early_data,
        };
        ffi::set_session(ssl, &live).then_some((offered, in_use))
    }
}

/// Whether OpenSSL will send the session's ticket in its first message. OpenSSL decides by the
/// system's clock, not by the store's.
///
/// OpenSSL sends no ticket for a session whose creation time is in the future, or that is past the
/// lifetime that the server gave. It sends the early data all the same, under a key that anybody
/// can compute (openssl/openssl#13395). The margin covers the time until the first message is sent.
fn sends_ticket(session: &SslSessionRef) -> bool {
    const MARGIN_SECONDS: u64 = 10;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let created = u64::try_from(session.time()).ok();
    let (Ok(now), Some(created)) = (now, created) else {
        return false;
    };
    let age = now.as_secs().checked_sub(created);
    age.is_some_and(|age| age.saturating_add(MARGIN_SECONDS) <= ffi::ticket_lifetime(session))
}
