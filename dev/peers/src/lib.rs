//! Session stores to compare ours with, and workloads that measure a store without handshakes.
//!
//! - [`Peer`] is the interface of a client's session store. [`real`] and [`simulated`] create the
//!   store of a [`StoreKind`], for rustls's tickets or for values of any type. A [`StoreFactory`]
//!   creates one of them, or a store of the caller's.
//! - [`ops`], [`contention`], [`scale`], [`empty`] and [`traces`] are the workloads. Each has a
//!   `measure` function that returns plain structs.
//! - [`fleet`] simulates machines that share sessions by a tier.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod contention;
pub mod empty;
mod factory;
pub mod fleet;
mod measure;
pub mod ops;
mod peer;
pub mod scale;
mod stores;
pub mod tickets;
pub mod traces;

pub use factory::StoreFactory;
pub use measure::{Allocated, Meter};
pub use peer::{Capacity, Peer, StoreKind, real, simulated};
pub use stores::{
    HyperOpenssl, Lru, Moka, QuickCache, RustlsMemory, RustlsPattern, RustlsStore, TlsResume,
};
