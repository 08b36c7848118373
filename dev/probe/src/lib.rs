//! Tests whether a TLS server lets clients resume, and why not.
//!
//! Connects to a server a few times with each backend of tls-resume and gives a [`Verdict`]: a
//! code, a sentence and a remedy.
//!
//! A few connections show what sessions the server issues and whether it resumes them. Where they
//! leave a question open, an experiment of a few more connections answers it:
//!
//! - [`AddressRow`]: does one address of a name resume sessions of another?
//! - [`AgainRow`]: do several machines answer at one address?
//! - [`TwiceRow`]: is a ticket accepted twice?
//! - [`BreaksRow`]: does the server fail exactly when a session is offered?
//! - [`BurstRow`]: how many of the connections made at the same time resume?
//! - [`SavesRow`]: how much does resumption save?
//!
//! Findings are plain data with serde; everything that is printed is derived from them. The command
//! `compare probe` is [`run`]; a program that wants the data uses a [`Probe`]:
//!
//! ```no_run
//! use probe::{Code, Options, Probe};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options::new("example.com".parse()?);
//! let probe = Probe::new(&options)?;
//! for report in probe.run(&mut |finding| Ok(println!("{finding:?}")))? {
//!     if report.verdict.code != Code::Resumes {
//!         println!("{}: {}", report.backend, report.verdict.text);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod abort;
mod backend;
mod barrier;
mod breaks;
mod client;
mod connection;
mod connection_error;
mod dialer;
mod double_offer;
mod error;
mod failure;
mod finding;
mod options;
mod print;
mod probe;
mod progress;
mod run;
mod series;
mod session_source;
mod starttls;
mod store_location;
mod target;
mod transport;
mod verdict;
mod wire;

pub use backend::Backend;
pub use connection::ConnectionRow;
pub use error::Error;
pub use failure::Failure;
pub use finding::{
    AddressRow, AgainRow, BreaksRow, BurstRow, Cost, Finding, Report, SavesRow, SessionKind,
    TwiceRow,
};
pub use options::{BackendChoice, Options};
pub use probe::{OnFinding, Probe};
pub use run::{OnError, is_coloured, run};
pub use starttls::{StartTls, StartTlsError};
pub use store_location::StoreLocation;
pub use target::{Target, TargetError};
pub use verdict::{Code, Verdict};
