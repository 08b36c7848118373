//! tls-resume's session store behind OpenSSL's callbacks.
//!
//! OpenSSL's own client cache only counts: it has no look-up by server. This crate switches it off
//! and keeps sessions in a [`store_core::SessionStore`], as Postfix does in its own:
//! `SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL | SSL_SESS_CACHE_NO_AUTO_CLEAR`, the
//! `new_session` callback puts, and each connection carries its key with it.
//!
//! ```no_run
//! use backend_openssl::Sessions;
//! use openssl::ssl::{SslConnector, SslMethod};
//! use store_core::{Limits, SecurityDomain};
//! use std::net::TcpStream;
//!
//! let sessions = Sessions::new(Limits::default())?;
//! // All that decides over trust goes into the domain: the builder cannot be asked for it.
//! let domain = SecurityDomain::builder("my client, openssl").field("roots", b"system").finish();
//! let connector = sessions.attach(SslConnector::builder(SslMethod::tls_client())?, domain)?;
//!
//! for _ in 0..2 {
//!     let tcp = TcpStream::connect("example.com:443")?;
//!     let stream = connector.connect("example.com", 443, tcp)?;
//!     println!("resumed: {}", stream.ssl().session_reused());
//!     // TLS 1.3 tickets arrive while the application reads.
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it takes care of
//! - What is stored is private to the store: duplicated inside the callback, before anything can
//!   mark OpenSSL's own object as not resumable (dropping a connection without `close_notify`
//!   does). What is offered is private to the connection.
//! - A session remembers how the peer was verified, and for which name; it is offered only to a
//!   connection that demands no more ([`Connector::prepare`]).
//! - A ticket that is renewed in a resumed TLS 1.2 handshake, for which OpenSSL calls no
//!   `new_session` callback, is fetched when the handshake is done.
//! - A reusable session whose handshake failed is removed, unless a newer one has replaced it.
//!
//! Needs OpenSSL 3.0 or newer; the feature `vendored` builds one.

#![cfg_attr(docsrs, feature(doc_cfg))] // says which feature an item needs
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod connection;
mod connector;
mod der;
#[allow(unsafe_code, reason = "the one place where C is called")]
mod ffi;
mod origin;
mod portable;
mod session;
mod verification;

pub use connection::{Connection, connection};
pub use connector::{AttachError, Connector, Sessions};
pub use ffi::{early_data_accepted, negotiated_group};
pub use origin::PeerCertificate;
pub use session::Session;
#[cfg(feature = "tokio")]
pub use tokio_openssl;
