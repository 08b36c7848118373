//! tls-resume's session store for OpenSSL clients, by OpenSSL's session callbacks.
//!
//! OpenSSL's own client cache cannot look a session up by server. This crate turns it off and keeps
//! sessions in a [`store_core::SessionStore`], with the same calls as Postfix: the cache mode is
//! `SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL | SSL_SESS_CACHE_NO_AUTO_CLEAR`, the
//! `new_session` callback stores, and each `SSL` carries its key in `ex_data`.
//!
//! ```no_run
//! use backend_openssl::Sessions;
//! use openssl::ssl::{SslConnector, SslMethod};
//! use store_core::{Limits, SecurityDomain};
//! use std::net::TcpStream;
//!
//! let sessions = Sessions::new(Limits::default())?;
//! // The domain names every setting that decides over trust: a builder has no getters for them.
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
//! # Guarantees
//! - Stored sessions are private to the store: each is duplicated inside the callback, before
//!   anything can mark OpenSSL's own object as not resumable (dropping a connection without
//!   `close_notify` does). An offered session is private to its connection.
//! - A session records how the peer was verified, and for which name. It is offered only to a
//!   connection that requires no more ([`Connector::prepare`]).
//! - A ticket renewed in a resumed TLS 1.2 handshake is stored when the handshake is done. OpenSSL
//!   calls no `new_session` callback for it.
//! - A reusable session whose handshake failed is removed, unless a newer one has replaced it.
//!
//! Needs OpenSSL 3.0 or newer; the feature `vendored` builds one.

#![cfg_attr(docsrs, feature(doc_cfg))] // says which feature an item needs
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod callbacks;
mod connection;
mod connector;
mod der;
mod ex_data;
#[allow(unsafe_code, reason = "the only file that calls C")]
mod ffi;
mod offered;
mod peer;
mod portable;
mod session;
mod sessions;
mod verification;

pub use connection::Connection;
pub use connector::{AttachError, Connector};
pub use ex_data::connection;
pub use ffi::{early_data_accepted, negotiated_group};
pub use peer::PeerCertificate;
pub use session::Session;
pub use sessions::Sessions;
#[cfg(feature = "tokio")]
pub use tokio_openssl;
