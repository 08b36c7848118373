//! The rules of a correct store of client sessions (docs/rules.md), tested through the public API.

#![allow(
    missing_debug_implementations,
    reason = "session types of tests stay opaque"
)]

mod accounting;
mod addresses;
mod application_data;
mod bounds;
mod clearing;
mod connection;
mod helpers;
mod keys;
mod limits;
mod observer;
mod once;
mod order;
mod packing;
mod partitions;
mod secret;
#[cfg(feature = "serde")]
mod serde;
mod validity;
