//! TLS servers for tests and benchmarks: certificates, servers on rustls and OpenSSL, and
//! transports that connect a client to them.
//!
//! One type, [`ServerSettings`], configures a server on either library. A server reports each
//! handshake as a [`Handshake`], so that a test need not trust the client's report of a resumption.
//!
//! ```
//! use lab::certificate::{Authority, KeyKind};
//! use lab::server::{Library, Server, ServerSettings};
//! use lab::transport::InMemory;
//!
//! let authority = Authority::new(KeyKind::EcdsaP256);
//! let settings = ServerSettings::new(authority.issue(&["example.org"]));
//! let server = Server::new(Library::OpenSsl, &settings);
//! let transport = InMemory::new(&server); // `Read + Write`, for any TLS client
//! assert_eq!(transport.bytes_out(), 0);
//! ```
//!
//! [`faults`] has servers that misbehave. [`redis`], [`postgres`], [`postfix`], [`dovecot`],
//! [`vsftpd`], [`proftpd`], [`nginx`], [`stunnel`], [`mosquitto`], [`rabbitmq`], [`unbound`], [`slapd`],
//! [`proxies`] and [`prometheus`] start real daemons.
//!
//! [`ServerSettings`]: server::ServerSettings
//! [`Handshake`]: server::Handshake

#![deny(unsafe_code)] // but in `server/ffi.rs`: functions of OpenSSL without a binding
#![warn(missing_docs)]

pub mod certificate;
pub mod client_hello;
pub mod daemon;
pub mod dovecot;
pub mod faults;
pub mod mosquitto;
pub mod nginx;
pub mod postfix;
pub mod postgres;
mod process_group;
pub mod proftpd;
pub mod prometheus;
pub mod proxies;
pub mod rabbitmq;
pub mod redis;
pub mod server;
pub mod slapd;
pub mod stunnel;
pub mod tcp;
pub mod transport;
pub mod unbound;
pub mod vsftpd;
