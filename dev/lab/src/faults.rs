//! Servers that misbehave.
//!
//! Where a library can be made to misbehave, the server is a real one with odd settings: any number
//! of tickets ([`ServerSettings::tickets`]), tickets of any size, content and lifetime
//! ([`FaultyTicketer`]), new keys for each connection ([`Server::rotate_keys`]). What no library
//! does, it is made to do on the way: a [`FaultyTransport`] harms the records of an honest server.
//!
//! [`ServerSettings::tickets`]: crate::server::ServerSettings::tickets
//! [`Server::rotate_keys`]: crate::server::Server::rotate_keys

mod records;
mod ticketer;
mod transport;

/// A cipher suite, for [`RustlsOnly::ciphers`](crate::server::RustlsOnly).
pub use rustls::CipherSuite;
pub use ticketer::FaultyTicketer;
pub use transport::{Fault, FaultyTransport};
