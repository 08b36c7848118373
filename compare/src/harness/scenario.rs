//! Client, server, version, key and groups of a handshake.

use std::fmt;

use lab::certificate::KeyKind;
use lab::server::{Group, Library, Protocol};

/// A client's TLS library and its cryptography.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stack {
    /// rustls on aws-lc-rs.
    AwsLcRs,
    /// rustls on ring.
    Ring,
    /// rustls on graviola.
    Graviola,
    /// OpenSSL with its own cryptography.
    OpenSsl,
}

impl Stack {
    /// The main stack of each library.
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

    /// Whether it runs on this machine and implements `group`.
    pub fn supports(self, group: Group) -> bool {
        match self {
            Self::AwsLcRs => true,
            Self::Ring => group != Group::X25519MlKem768,
            Self::Graviola => graviola_runs_here(),
            Self::OpenSsl => Library::OpenSsl.supports(group),
        }
    }
}

/// graviola needs these processor features and panics without them.
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

/// The groups that the client offers for the key exchange, and those that the server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Groups {
    /// The client offers this group first and P-256 after it: in TLS 1.2, OpenSSL accepts an ECDSA
    /// certificate only if its curve is among the groups. The server accepts this group only.
    First(Group),
    /// The client offers its library's default groups; the server accepts all groups of the lab,
    /// X25519MLKEM768 first.
    Default,
    /// The client offers its library's default groups; the server accepts this group only.
    DefaultTo(Group),
}

impl Groups {
    /// The group that is negotiated.
    pub fn negotiated(self) -> Group {
        match self {
            Self::First(group) | Self::DefaultTo(group) => group,
            Self::Default => Group::X25519MlKem768,
        }
    }

    /// What the client offers, as reports name it.
    pub fn offered(self) -> &'static str {
        match self {
            Self::First(_) => "this first",
            Self::Default | Self::DefaultTo(_) => "default",
        }
    }

    /// The groups that the server accepts.
    pub(super) fn accepted(self) -> Vec<Group> {
        match self {
            Self::First(group) | Self::DefaultTo(group) => vec![group],
            Self::Default => vec![Group::X25519MlKem768, Group::X25519, Group::P256],
        }
    }
}

/// How connections end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The client sends a `close_notify`.
    CloseNotify,
    /// The client drops the connection. OpenSSL then marks the connection's session as not
    /// resumable (`ssl_clear_bad_session`).
    Unclean,
}

impl End {
    /// The name used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CloseNotify => "close_notify",
            Self::Unclean => "unclean",
        }
    }
}

/// Everything that decides what a handshake costs, apart from the client's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scenario {
    /// The client, which is measured.
    pub client: Stack,
    /// The server's library.
    pub server: Library,
    /// The only version of TLS that both ends speak.
    pub protocol: Protocol,
    /// The kind of every key in the server's chain.
    pub key: KeyKind,
    /// The groups.
    pub groups: Groups,
    /// How connections end.
    pub end: End,
}

impl Scenario {
    /// The client, a server of its own library, an ECDSA key, and X25519. Connections end with a
    /// `close_notify`.
    pub fn new(client: Stack, protocol: Protocol) -> Self {
        Self {
            client,
            server: client.library(),
            protocol,
            key: KeyKind::EcdsaP256,
            groups: Groups::First(Group::X25519),
            end: End::CloseNotify,
        }
    }

    /// Whether both ends support it on this machine.
    pub fn is_possible(&self) -> bool {
        let group = self.groups.negotiated();
        let hybrid = group == Group::X25519MlKem768;
        self.client.supports(group)
            && self.server.supports(group)
            && !(hybrid && self.protocol == Protocol::Tls12)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            server,
            protocol,
            key,
            groups,
            end,
        } = self;
        let group = groups.negotiated();
        write!(f, "{client} to {server}, {protocol}, {key}, {group}")?;
        match end {
            End::CloseNotify => Ok(()),
            End::Unclean => f.write_str(", unclean end"),
        }
    }
}
