//! What the connections of one backend come to.

mod addresses;
mod evidence;
mod judge;
mod remedy;

use serde::{Deserialize, Serialize};

use crate::Backend;

pub(crate) use evidence::{Evidence, span, versions};

/// The answer, for a program and for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The backend that connected.
    pub backend: Backend,
    /// The answer in a word.
    pub code: Code,
    /// The answer in a sentence: what was seen, and nothing else.
    pub text: String,
    /// What to do, with the possible causes, if there is something to be mended.
    pub remedy: Option<String>,
    /// Connections to the server that this took, those of experiments included.
    #[serde(default)]
    pub connections_made: usize,
}

/// The answer in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// Every connection that could resume did.
    Resumes,
    /// The same, by session ids of TLS 1.2 only: the sessions lie in the server's memory.
    SessionIdsOnly,
    /// The same, but sessions live for less than five minutes.
    ShortLifetime,
    /// Every session that was offered was resumed, but not every connection had one left to offer.
    TicketsUsedUp,
    /// The server declined some of what it was offered, or one of its addresses resumes nothing.
    Partly,
    /// Sessions of one address are declined, whenever they are offered, at another one of the same
    /// name.
    AddressesDiffer,
    /// The server resumes where it could be asked, and an address of the name could not be.
    AddressFailed,
    /// The server gives sessions and resumes none.
    NeverResumes,
    /// The server gives no sessions.
    NoTickets,
    /// No connection came after another one that could have given it a session, and the store had
    /// none that the server takes.
    NotTried,
    /// At least one handshake failed.
    HandshakeFailed,
}

impl Code {
    /// Whether there is nothing to be mended.
    pub fn is_good(self) -> bool {
        self == Self::Resumes
    }
}

impl Verdict {
    /// Judges what one backend saw.
    pub(crate) fn of(backend: Backend, evidence: &Evidence<'_>, connections_made: usize) -> Self {
        let (code, mut text, remedy) = judge::judge(evidence);
        for more in evidence.asides(code) {
            text.push_str("; ");
            text.push_str(&more);
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
