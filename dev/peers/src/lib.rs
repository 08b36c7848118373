//! The stores that ours is compared with, behind one trait, and the work that a store is given
//! when there are no handshakes.
//!
//! [`Peer`] is a client's session store as a client uses it. [`real`] and [`simulated`] make one
//! of each [`Name`], for the tickets of rustls and for values of any type; a [`Candidate`] is one of
//! them or any other store. The modules of
//! workloads measure them: each has a `Plan` and gives plain structs.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod candidate;
pub mod contention;
pub mod empty;
mod measure;
pub mod ops;
mod peer;
pub mod scale;
mod stores;
pub mod tickets;
pub mod traces;

pub use candidate::Candidate;
pub use measure::{Allocated, Meter};
pub use peer::{Name, Peer, Room, real, simulated};
pub use stores::{
    HyperOpenssl, Lru, Moka, OfRustls, QuickCache, RustlsMemory, RustlsPattern, TlsResume,
};
