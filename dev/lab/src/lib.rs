//! The other end of the connection: certificates, TLS servers on both libraries, and transports
//! that carry a client to them.
//!
//! Everything here is the real thing. The servers are rustls and OpenSSL, configured by one set of
//! [`ServerSettings`], and they report what they saw as one plain [`Handshake`], so that a test
//! never has to take the client's word for a resumption.
//!
//! ```
//! use lab::certificate::{Authority, KeyKind};
//! use lab::server::{Library, Server, ServerSettings};
//! use lab::transport::InMemory;
//!
//! let authority = Authority::new(KeyKind::EcdsaP256);
//! let settings = ServerSettings::new(authority.issue(&["example.org"]));
//! let server = Server::new(Library::OpenSsl, &settings);
//! let transport = InMemory::new(&server); // an `io::Read + io::Write` for any TLS client
//! assert_eq!(transport.bytes_out(), 0);
//! ```
//!
//! [`redis`] is a real one, too, for sessions that are shared, and so are [`postgres`] and
//! [`postfix`], which clients of other crates talk to.
//!
//! [`ServerSettings`]: server::ServerSettings
//! [`Handshake`]: server::Handshake

#![deny(unsafe_code)] // what OpenSSL has no binding for: `server/unbound.rs`
#![warn(missing_docs)]

pub mod certificate;
pub mod client_hello;
pub mod daemon;
pub mod faults;
pub mod postfix;
pub mod postgres;
mod process;
pub mod redis;
pub mod server;
pub mod tcp;
pub mod transport;
