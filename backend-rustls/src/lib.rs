//! The [`store_core`] session store as rustls's [`ClientSessionStore`].
//!
//! rustls keeps the sessions of a client in memory for 32 servers by default (256 sessions, 8 for
//! each), first in, first out, without expiry of its own. This crate puts a bounded, expiring,
//! observable store in that place.
//!
//! # Two handles
//! [`Sessions`] is the store, and hands out what rustls talks to:
//! - [`SharedHandle`] is for other people's clients: set it as `resumption` of a `ClientConfig` once, and
//!   hyper, reqwest, tokio-rustls or whatever uses that config resumes through the store.
//! - [`Connection`] is for one connection whose code can be changed. It knows its key, what it
//!   offered and what it was given, so it can do what a shared handle cannot: store nothing from a
//!   handshake that is not settled, revoke, and keep a session's age across renewals. [`ConfigPool`]
//!   has a `ClientConfig` for each such connection.
//!
//! ```
//! # #[cfg(any(feature = "aws-lc-rs", feature = "ring", feature = "graviola"))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use backend_rustls::{Sessions, provider};
//! use rustls::{ClientConfig, RootCertStore};
//! use store_core::Limits;
//!
//! let sessions = Sessions::new(Limits::default().with_servers(10_000))?;
//!
//! let mut config = ClientConfig::builder_with_provider(provider())
//!     .with_safe_default_protocol_versions()?
//!     .with_root_certificates(RootCertStore::empty()) // yours here
//!     .with_no_client_auth();
//! config.resumption = sessions.shared_handle("example").resumption();
//!
//! // `config` now goes into any client. What the store did is there to see:
//! assert_eq!(sessions.store().stats().resumed, 0);
//! # Ok(())
//! # }
//! # #[cfg(not(any(feature = "aws-lc-rs", feature = "ring", feature = "graviola")))]
//! # fn main() {}
//! ```
//!
//! # What rustls 0.23 hides
//! A session of rustls 0.23 is opaque. Its lifetime cannot be seen, so sessions age by the time
//! they came in ([`store_core::Usage::longest_lifetime`] and the [`Limits`](store_core::Limits));
//! rustls itself refuses one that it is handed too late. Its size cannot be seen, so it
//! counts as [`SESSION_WEIGHT`], or for what arrived with it where that is told
//! ([`Connection::arrived`]). It has no bytes, so it stays in this process.
//!
//! A session also resumes only under the same verifier and client-certificate resolver, by the
//! identity of their `Arc`s. rustls refuses any other after it has taken it from the store: clones
//! of one `ClientConfig` share both, and two configs built apart share neither.
//!
//! # Features
//! `aws-lc-rs` (default), `ring` and `graviola` each bring a cryptography provider and with it
//! `provider`, which does not exist without any: the store itself needs none of them.
//!
//! `preview` brings the module `preview`: the same over rustls 0.24.0-dev.1, whose sessions have
//! bytes and may leave their process. It may change in any release.
//!
//! [`ClientSessionStore`]: rustls::client::ClientSessionStore

#![cfg_attr(docsrs, feature(doc_cfg))] // says which feature an item needs
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod clocked;
mod config_pool;
mod connection;
mod handle;
mod host;
#[cfg(feature = "preview")]
pub mod preview;
#[cfg(any(feature = "aws-lc-rs", feature = "ring", feature = "graviola"))]
mod provider;
mod session;
mod sessions;
mod shared_handle;

pub use config_pool::{ConfigPool, PooledConfig};
pub use connection::Connection;
#[cfg(any(feature = "aws-lc-rs", feature = "ring", feature = "graviola"))]
pub use provider::provider;
pub use session::{SESSION_WEIGHT, Session};
pub use sessions::Sessions;
pub use shared_handle::SharedHandle;
#[cfg(feature = "tokio")]
pub use tokio_rustls;
