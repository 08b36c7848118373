//! Tiers for TLS client sessions: LMDB for the processes of one machine, Redis for many machines,
//! and [`SharedStore`], a store in memory that reads from and writes to one of them.
//!
//! A session that leaves the memory of its process is a [`Record`], encrypted and authenticated by
//! a [`KeyRing`]. Whoever can read a tier learns neither sessions nor server names; whoever can
//! write to it can only cause misses. Servers are identified by a keyed hash
//! ([`KeyRing::server_id`]).
//!
//! ```
//! use store_core::{Clock, KeyRef, SecurityDomain, SystemClock, Usage};
//! use store_tiers::{KeyRing, Record};
//! use std::time::Duration;
//!
//! let ring = KeyRing::generate()?; // or read from a file: `store_tiers::key_file`
//! let domain = SecurityDomain::builder("example").finish();
//! let key = KeyRef::new(&domain, "example.com").with_port(443);
//! let server = ring.server_id(key);
//!
//! let now = SystemClock.now();
//! let record = Record {
//!     key: key.to_key(),
//!     format: 1,
//!     usage: Usage::SingleUse,
//!     established: now,
//!     expires: now.after(Duration::from_secs(7200)),
//!     facts: Vec::new(),
//!     session: b"the library's own encoding".to_vec().into(),
//!     address: None,
//!     application_data: None,
//! };
//! let sealed = ring.seal(&record, &server)?;
//! let opened = ring.open(&sealed, &server, now)?;
//! assert_eq!(*opened.session, *record.session);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(not(feature = "lmdb"), forbid(unsafe_code))]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)] // allowed in lmdb/env.rs only
#![deny(missing_docs)]

/// PRIVATE: fuzz targets that need private items. Not part of the API.
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzz;
#[cfg(unix)] // checks Unix permissions
pub mod key_file;
#[cfg(feature = "lmdb")]
pub mod lmdb;
mod record;
#[cfg(feature = "redis")]
pub mod redis;
mod ring;
mod shared;
mod tier;

pub use record::Record;
pub use ring::{KeyError, KeyRing, Rejected, SealError, ServerId};
/// PRIVATE: shared stores in simulated time, for `dev/peers` only. Not part of the API.
#[cfg(feature = "__simulation")]
#[doc(hidden)]
pub use shared::simulation;
pub use shared::{Fetch, SharedError, SharedSettings, SharedStore, TierStats};
pub use tier::{Sealed, Taken, Tier, TierError};
