//! The rules of a correct client session store, as rows that run against every backend.
//!
//! A row is a claim, checked by real handshakes with real servers in this process, on a clock that
//! moves only when a claim moves it. Tests and the program `compare` run the same rows.
//!
//! Claims know no backend: they are checked on whatever implements [`Client`]. So that they are
//! worth something, the tests of this crate check them on clients that are broken, each in one
//! way, and demand that the right claim fails.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod claims;
mod client;
mod stage;
mod wire;

use serde::{Deserialize, Serialize};
use tls_resume::{openssl, rustls};

pub use client::{Client, Connection, Failure, Setup};
pub use wire::Wire;

/// One claim and how each backend did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The rule, such as `R7`.
    pub rule: String,
    /// What is claimed.
    pub title: String,
    /// How rustls 0.23 did.
    pub rustls: Verdict,
    /// How OpenSSL did.
    pub openssl: Verdict,
}

/// How a client did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Pass, fail, or not applicable.
    pub outcome: Outcome,
    /// Why, unless it passed.
    pub reason: Option<String>,
}

/// The outcome of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// What is claimed is so.
    Pass,
    /// It is not.
    Fail,
    /// It cannot be so, or not be seen, on this client.
    NotApplicable,
}

/// A claim to be checked on one client.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The rule, such as `R7`.
    pub rule: &'static str,
    /// What is claimed.
    pub title: &'static str,
    check: Check,
}

/// What a check answers: nothing, or what was seen instead of what was claimed.
type Checked = Result<(), String>;

#[derive(Clone, Copy, Debug)]
enum Check {
    Run(fn() -> Checked),
    NotApplicable(&'static str),
}

impl Claim {
    /// Whether it can be checked on its client.
    pub fn applies(&self) -> bool {
        matches!(self.check, Check::Run(_))
    }

    /// Checks it.
    pub fn verdict(&self) -> Verdict {
        let (outcome, reason) = match self.check {
            Check::Run(check) => match check() {
                Ok(()) => (Outcome::Pass, None),
                Err(seen) => (Outcome::Fail, Some(seen)),
            },
            Check::NotApplicable(why) => (Outcome::NotApplicable, Some(why.to_owned())),
        };
        Verdict { outcome, reason }
    }

    fn new(rule: &'static str, title: &'static str, check: fn() -> Checked) -> Self {
        let check = Check::Run(check);
        Self { rule, title, check }
    }

    /// A claim that cannot be checked where there is a reason.
    fn unless(reason: Option<&'static str>, claim: Self) -> Self {
        match reason {
            Some(why) => Self {
                check: Check::NotApplicable(why),
                ..claim
            },
            None => claim,
        }
    }
}

/// All claims, to be checked on clients of type `C`, in the order of their rules.
pub fn claims<C: Client>() -> Vec<Claim> {
    claims::all::<C>()
}

/// Checks every claim on both backends; `progress` is told each title before it is checked.
pub fn rows(progress: &mut dyn FnMut(&str)) -> Vec<Row> {
    let on_rustls = claims::<rustls::Connector>();
    let on_openssl = claims::<openssl::Connector>();
    on_rustls
        .iter()
        .zip(&on_openssl)
        .map(|(on_rustls, on_openssl)| {
            progress(on_rustls.title);
            Row {
                rule: on_rustls.rule.to_owned(),
                title: on_rustls.title.to_owned(),
                rustls: on_rustls.verdict(),
                openssl: on_openssl.verdict(),
            }
        })
        .collect()
}

/// How many claims there are.
pub fn count() -> usize {
    claims::<rustls::Connector>().len()
}
