//! rustls and OpenSSL side by side: what resumption saves, what a store costs, and whether both
//! backends follow the same rules.
//!
//! - [`Run`] runs the sections and writes `report.json`; it can measure a store of yours.
//! - [`run_command`], [`report_command`], [`serve`] and [`watch`] are the commands `compare run`,
//!   `compare report`, `compare serve` and `compare watch`; `compare probe` is the package `probe`.
//!   [`cli`] parses the command line.
//! - [`harness`] has the clients that are measured; the package `benches` uses them, too.
//!
//! `examples/own_store.rs` measures another store in 40 lines. The cost of one handshake:
//!
//! ```
//! use compare::harness::{CustomStore, Fixture, Scenario, Stack, Store};
//! use lab::certificate::{Authority, KeyKind};
//! use lab::server::Protocol;
//! use rustls::client::ClientSessionMemoryCache;
//!
//! let scenario = Scenario::new(Stack::AwsLcRs, Protocol::Tls13);
//! let fixture = Fixture::new(scenario, &Authority::new(KeyKind::EcdsaP256));
//! let store = CustomStore::rustls("my-store", || ClientSessionMemoryCache::new(256));
//! let client = fixture.client(Store::Custom(store))?; // after a full handshake
//! let sample = client.handshake()?; // fails unless both ends resumed
//! println!("{:?} of client time, {} bytes received", sample.client, sample.bytes_in);
//! # Ok::<(), compare::harness::HandshakeError>(())
//! ```

#![deny(unsafe_code)] // allowed in `harness/openssl/offer.rs`, `counting.rs`, `sections/memory/heap.rs`
#![warn(missing_docs)]

pub mod args;
pub mod cli;
pub mod counting;
pub mod durations;
pub mod environment;
pub mod error;
pub mod harness;
mod interrupt;
mod progress;
pub mod report_command;
pub mod run;
pub mod run_command;
mod section_names;
pub mod sections;
pub mod serve;
pub mod tier_command;
pub mod watch;

pub use counting::Counting;
pub use error::Error;
pub use report::text::{self, Style};
pub use report::{Report, Section};
pub use run::Run;
