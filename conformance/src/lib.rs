//! The rules of a correct client session store, as rows that run against every backend.
//!
//! A row is a claim, checked by real handshakes with real servers in this process, through the
//! facade's connector, on a clock that moves only when a claim moves it. Tests and the program
//! `compare` run the same rows.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod claims;
mod stage;

use serde::{Deserialize, Serialize};
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;

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

/// How a backend did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Pass, fail, or not applicable.
    pub outcome: Outcome,
    /// Why, unless it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
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
    /// It cannot be so, or not be seen, on this backend.
    NotApplicable,
}

/// Checks every claim on both backends; `progress` is told each title before it is checked.
pub fn rows(progress: &mut dyn FnMut(&str)) -> Vec<Row> {
    claims::all()
        .into_iter()
        .map(|claim| {
            progress(claim.title);
            Row {
                rule: claim.rule.into(),
                title: claim.title.into(),
                rustls: claim.on_rustls.verdict(),
                openssl: claim.on_openssl.verdict(),
            }
        })
        .collect()
}

/// How many claims there are.
pub fn count() -> usize {
    claims::all().len()
}

/// A claim to be checked.
struct Claim {
    rule: &'static str,
    title: &'static str,
    on_rustls: Check,
    on_openssl: Check,
}

/// What a check answers: what was seen instead of what was claimed.
type Checked = Result<(), String>;

enum Check {
    Run(fn() -> Checked),
    NotApplicable(&'static str),
}

impl Check {
    fn verdict(&self) -> Verdict {
        let (outcome, reason) = match self {
            Self::Run(check) => match check() {
                Ok(()) => (Outcome::Pass, None),
                Err(seen) => (Outcome::Fail, Some(seen)),
            },
            Self::NotApplicable(why) => (Outcome::NotApplicable, Some((*why).to_owned())),
        };
        Verdict { outcome, reason }
    }
}

/// The same check on both backends.
macro_rules! on_both {
    ($rule:literal, $title:literal, $check:ident) => {
        $crate::Claim {
            rule: $rule,
            title: $title,
            on_rustls: $crate::Check::Run($check::<$crate::Rustls>),
            on_openssl: $crate::Check::Run($check::<$crate::OpenSsl>),
        }
    };
}
use on_both;
