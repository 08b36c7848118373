//! The rules of a correct client session store, as claims that are checked on every client.
//!
//! A [`Claim`] is checked by real handshakes with real servers in this process, on a clock that
//! only the claim moves. Claims about sessions that leave their process are checked with [`child`]
//! processes, on the real clock. Tests and the program `compare` check the same claims.
//!
//! A claim is checked on any [`Client`]. To show that each claim can fail, the tests of this crate
//! check it on a client with one fault, and it must fail there.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod backends;
mod check;
pub mod child;
mod claim;
mod claims;
mod client;
mod door;
mod fixture;
mod lmdb_writer;
mod process_fixture;
mod shared_tier;
mod wire;

use tls_resume::{openssl, rustls, rustls_preview};

pub use child::Launcher;
pub use claim::{Claim, Verdict};
pub use client::{Client, Connection, Failure, Options, Setup, Store};
pub use door::Door;
pub use wire::Wire;

/// A claim with its verdict on each backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The rule, such as `R7`.
    pub rule: String,
    /// The claim, as a sentence.
    pub title: String,
    /// The verdict on rustls 0.23.
    pub rustls: Verdict,
    /// The verdict on OpenSSL.
    pub openssl: Verdict,
    /// The verdict on the preview of the next rustls.
    pub rustls_preview: Verdict,
}

/// All claims about clients of type `C`, in the order of their rules.
pub fn claims<C: Client>() -> Vec<Claim> {
    claims::all::<C>()
}

/// Checks every claim on every backend. Child processes are started by `launcher`; `progress` is
/// called with each title before it is checked.
pub fn rows(launcher: &Launcher, progress: &mut dyn FnMut(&str)) -> Vec<Row> {
    let on_openssl = claims::<openssl::Connector>();
    let on_preview = claims::<rustls_preview::Connector>();
    claims::<rustls::Connector>()
        .iter()
        .zip(on_openssl.iter().zip(&on_preview))
        .map(|(on_rustls, (on_openssl, on_preview))| {
            progress(on_rustls.title);
            Row {
                rule: on_rustls.rule.to_owned(),
                title: on_rustls.title.to_owned(),
                rustls: on_rustls.verdict(launcher),
                openssl: on_openssl.verdict(launcher),
                rustls_preview: on_preview.verdict(launcher),
            }
        })
        .collect()
}

/// The number of claims.
pub fn count() -> usize {
    claims::<rustls::Connector>().len()
}
