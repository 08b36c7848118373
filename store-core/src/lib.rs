//! A bounded, expiring store of TLS client sessions, independent of any TLS library.
//!
//! A client that reconnects saves most of a TLS handshake if it resumes an earlier session.
//! [`SessionStore`] keeps those sessions: under a key that decides which connections may use them,
//! for as long as they are valid, within bounds that no server can exceed. A backend stores its own
//! session type, which implements [`Storable`]: reusable sessions can be copied, and older ones may
//! have a packed form that takes less memory.
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
//! // A connection reads the generation when it begins, and stores the sessions it receives.
//! let (begun, now) = (store.generation(), SystemClock.now());
//! let ticket = Ticket(b"opaque".to_vec());
//! let lifetime = Some(Duration::from_secs(7200));
//! store.put(key, Entry::new(ticket, Usage::SingleUse, lifetime, 6, now), begun, now)?;
//!
//! // The next connection takes the ticket: a single-use session is offered once.
//! assert!(store.offer(key, now).is_some());
//! assert!(store.offer(key, now).is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Structure
//! [`SessionStore`] divides servers by the hash of their key into shards, each behind a lock. A
//! shard is a state machine that takes the time as an argument: a segmented LRU of servers
//! (probation: no session looked up yet; protected: looked up and stored again), and a small table
//! of facts about servers without a session (`ghosts`). A server has a stack of single-use
//! sessions, at most one reusable session, and the key-exchange group that it chose last.

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
mod server_stats;
#[cfg(feature = "serde")]
pub mod settings;
mod shard;
mod stats;
mod store;
mod sync;

/// PRIVATE: bodies of fuzz targets that need private items. Not part of the API.
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
pub use server_stats::ServerStats;
pub use stats::{Outcome, Stats};
pub use store::{Available, SessionStore};
