//! A bounded, expiring store of TLS client sessions that knows no TLS library.
//!
//! A client that reconnects saves most of a TLS handshake if it resumes an earlier session.
//! [`SessionStore`] keeps those sessions: under a key that says who may use them, for as long as
//! they are valid, within bounds that no server can break. Backends put a session type of their
//! own into it; the store asks one thing of that type, that a reusable session can be copied, and
//! lets it have a smaller form ([`Storable`]).
//!
//! ```
//! use store_core::{Clock, Storable, Entry, KeyRef, Limits, SecurityDomain, SessionStore};
//! use store_core::{SystemClock, Usage};
//! use std::time::Duration;
//!
//! struct Ticket(Vec<u8>);
//! impl Storable for Ticket {
//!     fn duplicate(&self) -> Option<Self> {
//!         Some(Self(self.0.clone()))
//!     }
//! }
//!
//! let store = SessionStore::new(Limits::default())?;
//! let domain = SecurityDomain::builder("example").field("roots", b"...").finish();
//! let key = KeyRef::new(&domain, "www.Example.com.").with_port(443);
//!
//! // A connection notes the generation when it begins and puts what the server gives it.
//! let (begun, now) = (store.generation(), SystemClock.now());
//! let ticket = Ticket(b"opaque".to_vec());
//! let lifetime = Some(Duration::from_secs(7200));
//! store.put(key, Entry::new(ticket, Usage::SingleUse, lifetime, 6, now), begun, now)?;
//!
//! // The next one takes it: a single-use session is handed out once.
//! assert!(store.offer(key, now).is_some());
//! assert!(store.offer(key, now).is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the layers are
//! [`SessionStore`] is a row of shards behind locks. A shard is a state machine without lock or
//! clock: servers in two least-recently-used lists (seen once, seen again) and a small table
//! of what is worth remembering of servers that hold no session. A server holds its single-use
//! sessions, newest first, at most one reusable session, and the key-exchange group it chose.

#![cfg_attr(docsrs, feature(doc_cfg))] // says which feature an item needs
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod chain;
mod clock;
mod domain;
mod entry;
mod events;
mod ghosts;
mod hashing;
mod held;
mod key;
mod limits;
#[cfg(feature = "net")]
pub mod net;
mod observer;
mod portable;
mod protocol;
mod server;
#[cfg(feature = "serde")]
pub mod settings;
mod shard;
mod stats;
mod store;
mod sync;
mod watch;

/// PRIVATE: bodies of fuzz targets that need what is not public. Never part of the API.
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzz;

pub use chain::{Chain, Chains};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use domain::{DomainBuilder, SecurityDomain};
pub use entry::{Entry, EntryId, Generation, Offer, Refused, SharedPart, Storable, Usage};
pub use key::{HostRef, KeyRef, SessionKey};
pub use limits::{Limits, LimitsError};
pub use observer::StoreObserver;
pub use portable::{Encoded, Portable};
pub use protocol::{Protocol, UnknownProtocol};
pub use stats::{Outcome, Stats};
pub use store::{Available, SessionStore};
pub use watch::ServerStats;
