//! rustls and OpenSSL side by side: what resumption saves, what the store costs, and whether both
//! backends follow the same rules.
//!
//! - [`Run`] measures and checks, section by section, and writes `report.json`; also a store that is
//!   not of this project.
//! - [`show`] prints a saved report again: the package `report` has its contents and shows them.
//! - [`probe`] connects to a server, several times, and says whether it lets clients resume: a package
//!   of its own.
//! - [`serve`] is a server to test any client against.
//! - [`harness`] are the clients that are measured; the benchmarks of the package `benches` use
//!   them, too.
//!
//! The program is a thin layer over this library: [`cli`] reads the command line. Another program can
//! use it to measure a store of its own; `examples/own_store.rs` does so in 40 lines. What one
//! handshake costs is for [`harness`] to say:
//!
//! ```
//! use compare::harness::{Corner, Own, Stack, Stage, Store};
//! use lab::certificate::{Authority, KeyKind};
//! use lab::server::Protocol;
//! use rustls::client::ClientSessionMemoryCache;
//!
//! let corner = Corner::new(Stack::AwsLcRs, Protocol::Tls13);
//! let stage = Stage::new(corner, &Authority::new(KeyKind::EcdsaP256));
//! let own = Own::rustls("my-store", || ClientSessionMemoryCache::new(256));
//! let lane = stage.lane(Store::Own(own))?; // after its first handshake, a full one
//! let take = lane.measure()?; // fails if it is not resumed on both ends
//! println!("{:?} of client time, {} bytes received", take.client, take.bytes_in);
//! # Ok::<(), compare::harness::HandshakeError>(())
//! ```

#![deny(unsafe_code)] // one call has no safe wrapper: `harness/openssl/offer.rs`
#![warn(missing_docs)]

pub mod cli;
pub mod counting;
pub mod environment;
pub mod error;
pub mod harness;
mod interrupt;
mod progress;
pub mod run;
pub mod sample;
pub mod sections;
pub mod serve;
pub mod show;

pub use counting::Counting;
pub use error::Error;
pub use report::text::{self, Style};
pub use report::{Report, Section};
pub use run::Run;
