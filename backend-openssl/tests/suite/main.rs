//! Handshakes through the store, with servers of both libraries.

mod client;
mod copies;
mod groups;
mod packed;
mod portable;
mod resumption;
mod reusable;
mod robustness;
mod soak;
mod verification;
