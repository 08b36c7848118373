//! The TLS backends that connect.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A backend of tls-resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Backend {
    /// rustls 0.23 with aws-lc-rs.
    #[serde(rename = "rustls")]
    Rustls,
    /// OpenSSL.
    #[serde(rename = "openssl")]
    OpenSsl,
    /// The preview of the next rustls, with aws-lc-rs.
    #[serde(rename = "rustls-preview")]
    RustlsPreview,
}

impl Backend {
    /// All backends, in the order in which they connect.
    pub const ALL: [Self; 3] = [Self::Rustls, Self::OpenSsl, Self::RustlsPreview];
    /// Backends whose sessions can be stored in a tier.
    pub const SHAREABLE: [Self; 2] = [Self::OpenSsl, Self::RustlsPreview];

    /// The name on the command line and in the output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rustls => "rustls",
            Self::OpenSsl => "openssl",
            Self::RustlsPreview => "rustls-preview",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
