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
//! use store_core::{Outcome, SystemClock, Usage, Want};
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
//! // A connection begins with a look-up, which finds nothing yet.
//! let now = SystemClock.now();
//! let start = store.begin(key, Want::Any, now, |_| true);
//! assert!(start.offer.is_none());
//!
//! // It stores the sessions that it receives.
//! let ticket = Ticket(b"opaque".to_vec());
//! let lifetime = Some(Duration::from_secs(7200));
//! let ticket = Entry::new(ticket, Usage::SingleUse, lifetime, 6, now);
//! store.put(key, ticket, start.begun, now)?;
//!
//! // The next connection takes the ticket: a single-use session is offered once.
//! let next = store.begin(key, Want::Any, now, |_| true);
//! assert!(next.offer.is_some());
//! store.report(key, Outcome::Resumed, now);
//! assert!(store.offer(key, Want::Any, now, |_| true).is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Structure
//! [`SessionStore`] divides servers by the hash of their key into shards, each behind a lock. A
//! shard is a state machine that takes the time as an argument: a slab of servers in two rings, by
//! which they are evicted (probation: not looked up between two passes of the hand; protected). A
//! server has single-use sessions, at most one reusable session (of each group of its addresses that share
//! keys), the key-exchange group that it chose last, and its need: how many sessions its connections use up
//! at once.

#![cfg_attr(docsrs, feature(doc_cfg))] // says which feature an item needs
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod address;
mod application_data;
mod begin;
mod chain;
mod clock;
mod domain;
mod dropped;
mod entry;
mod events;
mod hashing;
mod held;
mod key;
mod limits;
#[cfg(feature = "net")]
pub mod net;
mod observer;
mod outlook;
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
pub mod tier;

/// PRIVATE: bodies of fuzz targets that need private items. Not part of the API.
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzz;

pub use address::AddressId;
pub use application_data::{ApplicationData, ApplicationDataError};
pub use begin::{Begun, LookUp, Start, Want};
pub use chain::{Chain, Chains};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use domain::{DomainBuilder, SecurityDomain};
pub use entry::{
    Entry, EntryId, Generation, Offer, Refused, ReuseTickets, SharedPart, Storable, Usage,
};
pub use key::{HostRef, KeyRef, SessionKey};
pub use limits::{Limits, LimitsError};
pub use observer::StoreObserver;
pub use outlook::Outlook;
pub use portable::{Encoded, Portable};
pub use protocol::{Protocol, UnknownProtocol};
pub use server_stats::ServerStats;
pub use stats::{Outcome, Stats};
pub use store::SessionStore;
