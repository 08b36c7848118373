//! Ticket keys that several servers share.

use std::fmt;
use std::sync::Arc;

use openssl::rand::rand_bytes;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;
use zeroize::Zeroizing;

/// The length of OpenSSL's ticket keys: a name of 16 bytes, an HMAC key and an AES key of 32 each.
pub(super) const OPENSSL_BYTES: usize = 80;

/// Keys that encrypt tickets, for
/// [`ServerSettings::ticket_keys`](super::ServerSettings::ticket_keys).
///
/// Servers on the same library accept each other's tickets if they have clones of one value.
/// Without, they are like machines behind one name that do not share their keys.
///
/// ```
/// use lab::certificate::{Authority, KeyKind};
/// use lab::server::{Library, Server, ServerSettings, TicketKeys};
///
/// let authority = Authority::new(KeyKind::EcdsaP256);
/// let mut settings = ServerSettings::new(authority.issue(&["fleet.example"]));
/// settings.ticket_keys = Some(TicketKeys::new());
/// let fleet = [(); 2].map(|()| Server::new(Library::OpenSsl, &settings));
/// settings.ticket_keys = None;
/// let stranger = Server::new(Library::OpenSsl, &settings);
/// # let _ = (fleet, stranger);
/// ```
#[derive(Clone)]
pub struct TicketKeys {
    rustls: Arc<dyn ProducesTickets>,
    openssl: Arc<Zeroizing<[u8; OPENSSL_BYTES]>>,
}

impl TicketKeys {
    /// Generates random keys for both libraries.
    ///
    /// # Panics
    ///
    /// Panics if the system has no random bytes.
    pub fn new() -> Self {
        let mut openssl = Zeroizing::new([0; OPENSSL_BYTES]);
        rand_bytes(&mut *openssl).expect("the system has random bytes for ticket keys");
        Self {
            rustls: Ticketer::new().expect("the system has random bytes for ticket keys"),
            openssl: Arc::new(openssl),
        }
    }

    pub(super) fn rustls(&self) -> Arc<dyn ProducesTickets> {
        Arc::clone(&self.rustls)
    }

    pub(super) fn openssl(&self) -> &[u8; OPENSSL_BYTES] {
        &self.openssl
    }
}

impl Default for TicketKeys {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TicketKeys {
    /// Does not show the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKeys").finish_non_exhaustive()
    }
}
