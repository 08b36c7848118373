//! What is known of a connection whose handshake is done, whichever way it is driven.

use std::time::Duration;

use pki_types::CertificateDer;

use crate::Protocol;

/// What a backend knows of a connection, and can be told.
pub trait Facts {
    fn protocol(&self) -> Protocol;
    /// Whether it keeps sessions, and so hears of them.
    fn keeps_sessions(&self) -> bool;
    fn offered(&self) -> bool;
    fn resumed(&self) -> bool;
    fn tickets(&self) -> usize;
    fn lifetime(&self) -> Option<Duration>;
    fn max_early_data(&self) -> Option<u32>;
    fn peer_certificates(&self) -> Vec<CertificateDer<'static>>;
    fn alpn(&self) -> Option<Vec<u8>>;
    fn cipher(&self) -> Option<String>;
    fn group(&self) -> Option<u16>;
    fn forget(&self);
}

/// The methods of a stream that has `facts()`: the same on the blocking one and on the one of tokio.
macro_rules! tells_its_facts {
    () => {
        /// The version of TLS that was negotiated.
        pub fn protocol(&self) -> $crate::Protocol {
            self.facts().protocol()
        }

        /// Whether the handshake was resumed, by the TLS library's own word.
        pub fn resumption(&self) -> $crate::Resumption {
            let facts = self.facts();
            match (facts.resumed(), facts.offered()) {
                (true, _) => $crate::Resumption::Resumed,
                (false, true) => $crate::Resumption::Declined,
                (false, false) => $crate::Resumption::Full,
            }
        }

        /// Whether a session was offered.
        pub fn offered(&self) -> bool {
            self.facts().offered()
        }

        /// Sessions received so far: TLS 1.3 tickets, or the session of a TLS 1.2 handshake. After a
        /// resumed TLS 1.2 handshake OpenSSL counts a renewed session only; rustls stores the session
        /// anew in any case and does not tell.
        pub fn tickets(&self) -> usize {
            self.facts().tickets()
        }

        /// How long the session received last may be used, by the server's word; zero if it did not
        /// say. Always `None` with rustls 0.23, which does not show it.
        pub fn lifetime(&self) -> Option<::std::time::Duration> {
            self.facts().lifetime()
        }

        /// Bytes of early data that a session received allows.
        pub fn max_early_data(&self) -> Option<u32> {
            self.facts().max_early_data()
        }

        /// The server's certificates, its own first; on a resumed connection those of the full
        /// handshake that the session comes from. Of a session that comes from beyond this process,
        /// OpenSSL has the server's own certificate only.
        pub fn peer_certificates(&self) -> Vec<$crate::pki_types::CertificateDer<'static>> {
            self.facts().peer_certificates()
        }

        /// The application protocol that the server chose (ALPN).
        pub fn alpn(&self) -> Option<Vec<u8>> {
            self.facts().alpn()
        }

        /// The cipher suite by its name in the TLS registry.
        pub fn cipher(&self) -> Option<String> {
            self.facts().cipher()
        }

        /// The key-exchange group by its number in the TLS registry; `None` if none was used.
        pub fn group(&self) -> Option<u16> {
            self.facts().group()
        }

        /// Revokes what this connection stored, and the reusable session that it resumed from: for an
        /// application whose own check of the server fails after the handshake. What the server still
        /// sends on this connection is not stored.
        pub fn forget(&self) {
            self.facts().forget();
        }
    };
}

pub(crate) use tells_its_facts;
