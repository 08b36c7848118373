//! The rules of a correct client session store, as rows that run against every backend.
//!
//! A row is a claim, checked by real handshakes with real servers in this process, on a clock that
//! moves only when a claim moves it. Claims about sessions that leave their process are checked
//! among real processes, children of this one ([`child`]), and on the real clock. Tests and the
//! program `compare` run the same rows.
//!
//! Claims know no backend: they are checked on whatever implements [`Client`]. So that they are
//! worth something, the tests of this crate check them on clients that are broken, each in one
//! way, and demand that the right claim fails.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod child;
mod claims;
mod client;
mod processes;
mod stage;
mod wire;

use tls_resume::{openssl, rustls, rustls_preview};

pub use child::Launcher;
pub use client::{Client, Connection, Failure, Setup, Store};
pub use wire::Wire;

/// One claim and how each backend did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The rule, such as `R7`.
    pub rule: String,
    /// What is claimed.
    pub title: String,
    /// How rustls 0.23 did.
    pub rustls: Verdict,
    /// How OpenSSL did.
    pub openssl: Verdict,
    /// How the preview of the next rustls did.
    pub rustls_preview: Verdict,
}

/// The result of checking a claim on one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The claim holds.
    Pass,
    /// The claim does not hold: what was seen instead.
    Fail(String),
    /// The claim cannot be checked on this client: the reason.
    NotApplicable(String),
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
    /// With processes of its own.
    Among(fn(&Launcher) -> Checked),
    NotApplicable(&'static str),
}

impl Claim {
    /// Whether it can be checked on its client.
    pub fn applies(&self) -> bool {
        !matches!(self.check, Check::NotApplicable(_))
    }

    /// Checks it, with child processes by this launcher if it needs any.
    pub fn verdict(&self, launcher: &Launcher) -> Verdict {
        let checked = match self.check {
            Check::Run(check) => check(),
            Check::Among(check) => check(launcher),
            Check::NotApplicable(why) => return Verdict::NotApplicable(why.to_owned()),
        };
        match checked {
            Ok(()) => Verdict::Pass,
            Err(seen) => Verdict::Fail(seen),
        }
    }

    fn new(rule: &'static str, title: &'static str, check: fn() -> Checked) -> Self {
        let check = Check::Run(check);
        Self { rule, title, check }
    }

    /// A claim about processes that share sessions, where this client's can be shared.
    fn among<C: Client>(
        rule: &'static str,
        title: &'static str,
        check: fn(&Launcher) -> Checked,
    ) -> Self {
        let check = Check::Among(check);
        Self::unless(C::name_for_child().err(), Self { rule, title, check })
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

/// Checks every claim on every backend, with child processes by this launcher; `progress` is told
/// each title before it is checked.
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

/// How many claims there are.
pub fn count() -> usize {
    claims::<rustls::Connector>().len()
}
