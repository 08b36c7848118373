//! The verdict on a server, from the findings of one backend.

mod addresses;
mod evidence;
mod judge;
mod remedy;

use serde::{Deserialize, Serialize};

use crate::Backend;

pub(crate) use evidence::{Evidence, format_seconds, versions};

/// The verdict of one backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The backend that connected.
    pub backend: Backend,
    /// The verdict as a code.
    pub code: Code,
    /// The verdict in a sentence: what was observed, and nothing else.
    pub text: String,
    /// Possible causes and what to do; `None` if all is well.
    pub remedy: Option<String>,
    /// Number of connections that this backend made, experiments included.
    #[serde(default)]
    pub connections_made: usize,
}

/// The verdict as a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// Every connection that could resume did.
    Resumes,
    /// As `Resumes`, but only by session ids of TLS 1.2: the sessions are in the server's memory.
    SessionIdsOnly,
    /// As `Resumes`, but sessions are valid for less than five minutes.
    ShortLifetime,
    /// Every session that was offered was resumed, but some connections had none left to offer.
    TicketsUsedUp,
    /// The server declined some sessions, or one of its addresses resumes none.
    Partly,
    /// Sessions of one address are always declined at another address of the same name.
    AddressesDiffer,
    /// The server resumes sessions, but connections to one of its addresses failed.
    AddressFailed,
    /// The server issues sessions and resumes none.
    NeverResumes,
    /// The server issues no sessions.
    NoTickets,
    /// No connection had an earlier one to get a session from, and the store had none that the
    /// server resumes.
    NotTried,
    /// Exactly the connections that offered a session failed.
    BreaksWhenResumed,
    /// At least one handshake failed.
    HandshakeFailed,
}

impl Code {
    /// Whether all is well.
    pub fn is_good(self) -> bool {
        self == Self::Resumes
    }
}

impl Verdict {
    pub(crate) fn new(backend: Backend, evidence: &Evidence<'_>, connections_made: usize) -> Self {
        let (code, mut text, remedy) = judge::judge(evidence);
        for note in evidence.notes(code) {
            text.push_str("; ");
            text.push_str(&note);
        }
        Self {
            backend,
            code,
            text,
            remedy,
            connections_made,
        }
    }
}
