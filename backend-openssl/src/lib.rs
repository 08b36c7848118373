//! tls-resume's session store for OpenSSL clients, through OpenSSL's session callbacks.
//!
//! OpenSSL's own client cache cannot look a session up by server. This crate turns it off and keeps
//! sessions in a [`store_core::SessionStore`], with the same calls as Postfix: the cache mode is
//! `SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL | SSL_SESS_CACHE_NO_AUTO_CLEAR`
//! (`SSL_CTX_set_session_cache_mode`), the `new_session` callback (`SSL_CTX_sess_set_new_cb`)
//! stores, and each `SSL` carries its key in `ex_data`.
//!
//! ```no_run
//! use backend_openssl::Sessions;
//! use openssl::ssl::{SslConnector, SslMethod};
//! use store_core::{Limits, SecurityDomain};
//! use std::net::TcpStream;
//!
//! let sessions = Sessions::new(Limits::default())?;
//! // List every setting that decides over trust: a builder has no getters for them.
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
//! - OpenSSL marks the session of a connection that is dropped without `close_notify` as not
//!   resumable. It marks no session that the store keeps, and none that another connection offers.
//! - A session records how the peer was verified, and for which name. It is offered only to a
//!   connection that requires no stricter verification ([`Connector::prepare`]).
//! - A session expires with the certificates of its full handshake at the latest: those of the verified
//!   chain, and the client's own. Sessions of resumed connections inherit this time.
//! - A ticket renewed in a resumed TLS 1.2 handshake is stored when the handshake is done. OpenSSL
//!   calls no `new_session` callback for it.
//! - The key-exchange group that a server chose last is offered first, with a key share: the others
//!   cost time, and a wrong guess a round trip. No group is taken off the list
//!   ([`Connector::keep_post_quantum`]).
//! - After a failed handshake, the session that it offered is removed, and if the server rejected
//!   it, all older ones too. Newer ones stay. The next connection to the server offers nothing.
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
mod groups;
mod live;
mod not_after;
mod offered;
mod peer;
mod portable;
mod session;
mod sessions;
mod verification;

pub use connection::Connection;
pub use connector::{AttachError, Connector};
pub use ex_data::connection;
pub use ffi::{early_data_accepted, has_extended_master_secret, negotiated_group};
pub use groups::group_names;
pub use peer::PeerCertificate;
pub use session::Session;
pub use sessions::Sessions;
#[cfg(feature = "tokio")]
pub use tokio_openssl;
