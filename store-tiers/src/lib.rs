//! Sessions beyond the process: what a place such as a file or a server keeps of them.
//!
//! A session that leaves the memory of its process is a [`Record`], and a record is sealed before
//! anything else sees it ([`KeyRing`]): whoever reads the place learns neither sessions nor names,
//! and whoever writes to it can make a client miss, nothing more. Servers go by a keyed hash
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
//! };
//! let sealed = ring.seal(&record, &server)?;
//! let opened = ring.open(&sealed, &server, now)?;
//! assert_eq!(*opened.session, *record.session);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(not(feature = "lmdb"), forbid(unsafe_code))]
#![cfg_attr(docsrs, feature(doc_cfg))] // says which feature an item needs
#![deny(unsafe_code)] // but for one file of the LMDB tier
#![deny(missing_docs)]

/// PRIVATE: bodies of fuzz targets that need what is not public. Never part of the API.
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzz;
#[cfg(unix)] // permissions are those of Unix
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
pub use shared::{Fetch, SharedError, SharedSettings, SharedStore, TierStats};
pub use tier::{Sealed, Taken, Tier, TierError};
