//! Servers that misbehave.
//!
//! Some faults are settings of a real server: any number of tickets ([`ServerSettings::tickets`]),
//! tickets of any size, content and lifetime ([`FaultyTicketer`]), new keys for each connection
//! ([`Server::rotate_keys`]). Faults that no library has are injected on the way: a
//! [`FaultyTransport`] changes the records of a correct server, in memory, and a [`FaultyProxy`]
//! those of any server on TCP, also of another project's.
//!
//! [`ServerSettings::tickets`]: crate::server::ServerSettings::tickets
//! [`Server::rotate_keys`]: crate::server::Server::rotate_keys

mod injector;
mod proxy;
mod records;
mod ticketer;
mod transport;

pub use injector::Fault;
pub use proxy::FaultyProxy;
/// A cipher suite, for [`RustlsOnly::ciphers`](crate::server::RustlsOnly).
pub use rustls::CipherSuite;
pub use ticketer::FaultyTicketer;
pub use transport::FaultyTransport;
