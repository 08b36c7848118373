//! Keys that seal tickets, for servers that are to have the same ones.

use std::fmt;
use std::sync::Arc;

use openssl::rand::rand_bytes;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;
use zeroize::Zeroizing;

/// What OpenSSL takes: a name of 16 bytes, a key to sign with and one to seal with, 32 bytes each.
pub(super) const OPENSSL_BYTES: usize = 80;

/// Keys that seal tickets: for [`ServerSettings::ticket_keys`](super::ServerSettings::ticket_keys).
///
/// Two servers that are made with clones of one value are a fleet: they take each other's tickets,
/// as long as they run on the same library. Two that are made without, or with a value each, are
/// machines behind one name whose keys were never shared.
///
/// ```
/// use lab::certificate::{Authority, KeyKind};
/// use lab::server::{Library, Server, ServerSettings, TicketKeys};
///
/// let authority = Authority::new(KeyKind::EcdsaP256);
/// let mut settings = ServerSettings::new(authority.issue(&["fleet.example"]));
/// settings.ticket_keys = Some(TicketKeys::new());
/// let [one, another] = [(); 2].map(|()| Server::new(Library::OpenSsl, &settings));
/// settings.ticket_keys = None;
/// let stranger = Server::new(Library::OpenSsl, &settings);
/// # let _ = (one, another, stranger);
/// ```
#[derive(Clone)]
pub struct TicketKeys {
    rustls: Arc<dyn ProducesTickets>,
    openssl: Arc<Zeroizing<[u8; OPENSSL_BYTES]>>,
}

impl TicketKeys {
    /// Draws new keys for both libraries.
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
    /// Shows that there are keys, and nothing of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKeys").finish_non_exhaustive()
    }
}
