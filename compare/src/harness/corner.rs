//! Who connects to whom, and how; and the ways to keep sessions.

use std::fmt;

use lab::certificate::KeyKind;
use lab::server::{Group, Library, Protocol};

use super::own::Own;

/// A client's TLS library with its cryptography.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stack {
    /// rustls on aws-lc-rs.
    AwsLcRs,
    /// rustls on ring.
    Ring,
    /// rustls on graviola.
    Graviola,
    /// OpenSSL, which brings its own.
    OpenSsl,
}

impl Stack {
    /// One for each library.
    pub const MAIN: [Self; 2] = [Self::AwsLcRs, Self::OpenSsl];

    /// The library.
    pub fn library(self) -> Library {
        match self {
            Self::AwsLcRs | Self::Ring | Self::Graviola => Library::Rustls,
            Self::OpenSsl => Library::OpenSsl,
        }
    }

    /// The name of the cryptography.
    pub fn provider(self) -> &'static str {
        match self {
            Self::AwsLcRs => "aws-lc-rs",
            Self::Ring => "ring",
            Self::Graviola => "graviola",
            Self::OpenSsl => "openssl",
        }
    }

    /// Whether it works on this machine, and has the group.
    pub fn supports(self, group: Group) -> bool {
        match self {
            Self::AwsLcRs => true,
            Self::Ring => group != Group::X25519MlKem768,
            Self::Graviola => graviola_runs_here(),
            Self::OpenSsl => Library::OpenSsl.supports(group),
        }
    }
}

/// graviola is made for processors with these, and panics on others.
fn graviola_runs_here() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes")
        && std::arch::is_x86_feature_detected!("pclmulqdq")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("bmi2")
        && std::arch::is_x86_feature_detected!("adx")
        && std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    return true;
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenSsl => f.write_str("openssl"),
            on_rustls => write!(f, "rustls on {}", on_rustls.provider()),
        }
    }
}

/// What the client offers for the key exchange, and what the server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Groups {
    /// The client offers this one first, with P-256 after it: in TLS 1.2, OpenSSL takes an ECDSA
    /// certificate only if its curve is among the groups. The server takes this one only.
    First(Group),
    /// The client offers what its library offers by default; the server takes all groups of the
    /// lab, X25519MLKEM768 first.
    Default,
    /// The client offers the same; the server takes this one only.
    DefaultTo(Group),
}

impl Groups {
    /// The group that comes out of it.
    pub fn negotiated(self) -> Group {
        match self {
            Self::First(group) | Self::DefaultTo(group) => group,
            Self::Default => Group::X25519MlKem768,
        }
    }

    /// What the client offers, as reports have it.
    pub fn offered(self) -> &'static str {
        match self {
            Self::First(_) => "this first",
            Self::Default | Self::DefaultTo(_) => "default",
        }
    }

    pub(super) fn of_server(self) -> Vec<Group> {
        match self {
            Self::First(group) | Self::DefaultTo(group) => vec![group],
            Self::Default => vec![Group::X25519MlKem768, Group::X25519, Group::P256],
        }
    }
}

/// Who connects to whom, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Corner {
    /// The client: what is measured.
    pub client: Stack,
    /// The server's library.
    pub server: Library,
    /// The version of TLS that both are pinned to.
    pub protocol: Protocol,
    /// The kind of every key in the server's chain.
    pub key: KeyKind,
    /// The groups.
    pub groups: Groups,
}

impl Corner {
    /// A client and a server of its own library, an ECDSA key, X25519.
    pub fn new(client: Stack, protocol: Protocol) -> Self {
        Self {
            client,
            server: client.library(),
            protocol,
            key: KeyKind::EcdsaP256,
            groups: Groups::First(Group::X25519),
        }
    }

    /// Whether both ends can do it, here and at all.
    pub fn is_possible(&self) -> bool {
        let group = self.groups.negotiated();
        let hybrid = group == Group::X25519MlKem768;
        self.client.supports(group)
            && self.server.supports(group)
            && !(hybrid && self.protocol == Protocol::Tls12)
    }
}

impl fmt::Display for Corner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            server,
            protocol,
            key,
            groups,
        } = self;
        let group = groups.negotiated();
        write!(f, "{client} to {server}, {protocol}, {key}, {group}")
    }
}

/// Where a client's sessions come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Store {
    /// From nowhere: every handshake is a full one.
    None,
    /// From a variable, where the newest lies ready: the floor for any store.
    InHand,
    /// From the store of tls-resume, with its default settings.
    TlsResume,
    /// The same without the peer's certificate in the sessions (OpenSSL).
    TlsResumeStrip,
    /// The same, and the group that the server chose last is offered first (OpenSSL; with rustls
    /// the store does this itself).
    TlsResumeHint,
    /// From rustls's own cache.
    RustlsMemory,
    /// From a cache that does what that of hyper-openssl 0.10 does.
    HyperOpenssl,
    /// From a variable, as DER: encoded when it comes, decoded when it is offered (OpenSSL). It is
    /// the floor for any store of bytes.
    Der,
    /// From a store that the program brings.
    Own(Own),
}

impl Store {
    /// All that are of this crate.
    pub const KNOWN: [Self; 8] = [
        Self::None,
        Self::InHand,
        Self::TlsResume,
        Self::TlsResumeStrip,
        Self::TlsResumeHint,
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
            Self::TlsResumeStrip => "tls-resume-strip",
            Self::TlsResumeHint => "tls-resume-hint",
            Self::RustlsMemory => "rustls-memory",
            Self::HyperOpenssl => "hyper-openssl",
            Self::Der => "der",
            Self::Own(own) => own.name(),
        }
    }

    /// Those that a client of this library can have, but for [`TlsResumeHint`](Self::TlsResumeHint),
    /// which is worth something only where groups are not pinned, and what a program brings.
    pub fn of(library: Library) -> &'static [Self] {
        match library {
            Library::Rustls => &[
                Self::None,
                Self::InHand,
                Self::TlsResume,
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

    /// Whether the handshakes are resumed, all but a lane's first.
    pub fn resumes(&self) -> bool {
        *self != Self::None
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
