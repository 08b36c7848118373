//! The [`store_core`] session store as rustls's [`ClientSessionStore`].
//!
//! By default rustls keeps the sessions of a client in memory for 32 servers (256 sessions, 8 for
//! each), first in, first out, without expiry. This crate replaces that with a bounded, expiring
//! store that counts what happens.
//!
//! # Two handles
//! [`Sessions`] is the store. It creates the handles that rustls calls:
//! - [`SharedHandle`] is for existing clients: set it as `resumption` of a `ClientConfig` once, and
//!   hyper, reqwest, tokio-rustls or any other user of that configuration resumes from the store.
//! - [`Connection`] is for one connection, for code that makes its connections itself. It knows its
//!   key and the sessions that it offered and received. So it can do what a shared handle cannot:
//!   store nothing before the handshake is settled, revoke, and keep a session's age across renewals.
//!   [`ConfigPool`] supplies such handles, each in a `ClientConfig`.
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
//! // Use `config` in any client. The store counts what happens:
//! assert_eq!(sessions.store().stats().resumed, 0);
//! # Ok(())
//! # }
//! # #[cfg(not(any(feature = "aws-lc-rs", feature = "ring", feature = "graviola")))]
//! # fn main() {}
//! ```
//!
//! # Limits of rustls 0.23
//! A session of rustls 0.23 is opaque:
//! - Its lifetime is not exposed. The store expires it by its age since it was received
//!   ([`store_core::Usage::longest_lifetime`] and the [`Limits`](store_core::Limits)), and rustls
//!   itself rejects a session past the server's lifetime.
//! - Its size is not exposed. Its weight is [`SESSION_WEIGHT`], or the number of bytes that it was
//!   received in, if that is larger and reported ([`Connection::received`]).
//! - It cannot be encoded, so it stays in this process.
//!
//! A session resumes only under the same verifier and client-certificate resolver, compared by the
//! identity of their `Arc`s. Under others, rustls takes the session from the store and then rejects
//! it. Clones of one `ClientConfig` share both; two configurations built separately share neither.
//!
//! # Features
//! `aws-lc-rs` (default), `ring` and `graviola` each add a cryptography provider and the function
//! `provider`. The store itself needs none of them.
//!
//! `preview` adds the module `preview`: a store for rustls 0.24.0-dev.1, whose sessions can be
//! encoded and leave their process. It may change in any release.
//!
//! `tokio` exports the matching tokio-rustls as `tokio_rustls`.
//!
//! [`ClientSessionStore`]: rustls::client::ClientSessionStore

#![cfg_attr(docsrs, feature(doc_cfg))] // says which feature an item needs
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod clocked_store;
mod config_pool;
mod connection;
mod follow_domain;
mod handle;
mod host;
mod not_after;
#[cfg(feature = "preview")]
pub mod preview;
#[cfg(any(feature = "aws-lc-rs", feature = "ring", feature = "graviola"))]
mod provider;
mod session;
mod session_data;
mod sessions;
mod shared_handle;

pub use config_pool::{ConfigPool, PooledConnection};
pub use connection::Connection;
pub use follow_domain::{CurrentDomain, FollowDomain};
pub use not_after::earliest_not_after;
#[cfg(any(feature = "aws-lc-rs", feature = "ring", feature = "graviola"))]
pub use provider::provider;
pub use session::{SESSION_WEIGHT, Session};
pub use session_data::SessionData;
pub use sessions::Sessions;
pub use shared_handle::SharedHandle;
#[cfg(feature = "tokio")]
pub use tokio_rustls;
