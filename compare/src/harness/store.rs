//! The session stores that clients of the harness can have.

use std::fmt;

use lab::server::Library;

use super::custom::CustomStore;

/// A client's session store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Store {
    /// No store: every handshake is full.
    None,
    /// A variable with the newest session: the lower bound for any store.
    InHand,
    /// The store of tls-resume with its default settings.
    TlsResume,
    /// The store of tls-resume through one handle for all connections of a configuration, as rustls's
    /// own cache is used (rustls).
    TlsResumeShared,
    /// The store of tls-resume, with the peer's certificate cut out of the sessions (OpenSSL).
    TlsResumeStrip,
    /// rustls's own cache.
    RustlsMemory,
    /// A cache that does what the one in hyper-openssl 0.10 does.
    HyperOpenssl,
    /// A variable with the newest session as DER, encoded when it is received and decoded when it
    /// is offered (OpenSSL): the lower bound for any store of bytes.
    Der,
    /// A store that the program brings.
    Custom(CustomStore),
}

impl Store {
    /// All stores of this crate.
    pub const KNOWN: [Self; 8] = [
        Self::None,
        Self::InHand,
        Self::TlsResume,
        Self::TlsResumeShared,
        Self::TlsResumeStrip,
        Self::RustlsMemory,
        Self::HyperOpenssl,
        Self::Der,
    ];

    /// The name used in reports.
    pub fn as_str(&self) -> &str {
        match self {
            Self::None => "none",
            Self::InHand => "in-hand",
            Self::TlsResume => "tls-resume",
            Self::TlsResumeShared => "tls-resume-shared",
            Self::TlsResumeStrip => "tls-resume-strip",
            Self::RustlsMemory => "rustls-memory",
            Self::HyperOpenssl => "hyper-openssl",
            Self::Der => "der",
            Self::Custom(store) => store.name(),
        }
    }

    /// The stores of this crate for clients of `library`.
    pub fn all_for(library: Library) -> &'static [Self] {
        match library {
            Library::Rustls => &[
                Self::None,
                Self::InHand,
                Self::TlsResume,
                Self::TlsResumeShared,
                Self::RustlsMemory,
            ],
            Library::OpenSsl => &[
                Self::None,
                Self::InHand,
                Self::TlsResume,
                Self::TlsResumeStrip,
                Self::HyperOpenssl,
                Self::Der,
            ],
        }
    }

    /// Whether all handshakes after a client's first one are resumed, if connections end with a
    /// `close_notify`.
    pub fn resumes(&self) -> bool {
        *self != Self::None
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
