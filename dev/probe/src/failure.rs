//! Reasons why a connection fails, the same for every backend.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a connection failed, as a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The host has no address, or could not be resolved.
    UnknownName,
    /// The address refuses TCP connections to the port.
    Refused,
    /// There is no route to the address.
    Unreachable,
    /// The address did not accept a TCP connection in time.
    NoAnswer,
    /// The server accepted the TCP connection and did not finish the handshake in time.
    Silent,
    /// The server closed the connection during the handshake.
    Closed,
    /// The server answered with something other than TLS.
    NotTls,
    /// The server speaks TLS 1.1 or older only.
    OldTls,
    /// The server does not speak the TLS version of `--tls`.
    OtherVersion,
    /// The certificate chain does not end at a trusted root.
    UnknownAuthority,
    /// The certificate is for other names.
    WrongName,
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate was rejected for another reason.
    Certificate,
    /// The server requires a client certificate, or does not accept that of `--cert`.
    ClientCertificate,
    /// This process, or this machine, may open no more files.
    Local,
    /// The server did not start TLS when asked with `--starttls`.
    StartTls,
    /// The handshake failed in another way.
    Handshake,
}

impl fmt::Display for Failure {
    /// A few words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::UnknownName => "no address found",
            Self::Refused => "connection refused",
            Self::Unreachable => "unreachable",
            Self::NoAnswer => "no answer",
            Self::Silent => "timed out",
            Self::Closed => "closed by the server",
            Self::NotTls => "answered without TLS",
            Self::OldTls => "TLS version too old",
            Self::OtherVersion => "another TLS version",
            Self::UnknownAuthority => "certificate not trusted",
            Self::WrongName => "certificate for another name",
            Self::Expired => "certificate expired",
            Self::NotYetValid => "certificate not valid yet",
            Self::Certificate => "certificate rejected",
            Self::ClientCertificate => "client certificate missing or rejected",
            Self::Local => "too many open files",
            Self::StartTls => "STARTTLS failed",
            Self::Handshake => "handshake failed",
        })
    }
}

#[cfg(test)]
impl Failure {
    /// All failures.
    pub(crate) const ALL: [Self; 18] = [
        Self::UnknownName,
        Self::Refused,
        Self::Unreachable,
        Self::NoAnswer,
        Self::Silent,
        Self::Closed,
        Self::NotTls,
        Self::OldTls,
        Self::OtherVersion,
        Self::UnknownAuthority,
        Self::WrongName,
        Self::Expired,
        Self::NotYetValid,
        Self::Certificate,
        Self::ClientCertificate,
        Self::Local,
        Self::StartTls,
        Self::Handshake,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_codes_are_in_snake_case() {
        let json = serde_json::to_value(Failure::NotYetValid).unwrap();
        assert_eq!(json, "not_yet_valid");
    }
}
