//! rustls and OpenSSL side by side: what resumption saves, what the store costs, and whether both
//! backends follow the same rules.
//!
//! - [`run`] measures and checks, section by section, and writes `report.json`.
//! - [`show`] prints a saved report again: the package `report` has its contents and shows them.
//! - [`probe`] connects to a server, several times, and says whether it lets clients resume; with a
//!   store beyond memory, also clients of another process.
//! - [`harness`] are the clients that are measured; the benchmarks of the package `benches` use
//!   them, too.
//!
//! The program is a thin layer over this library: [`cli`] reads the command line.

#![deny(unsafe_code)] // one call has no safe wrapper: `harness/openssl/offer.rs`
#![warn(missing_docs)]

pub mod backend;
pub mod cli;
pub mod counting;
pub mod environment;
pub mod error;
pub mod harness;
pub mod probe;
mod progress;
pub mod run;
pub mod sample;
pub mod sections;
pub mod show;
