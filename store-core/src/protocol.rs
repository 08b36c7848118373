//! Versions of TLS.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A version of TLS. `FromStr` and serde use its number, `1.2` or `1.3`; `Display` shows `TLS 1.2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Protocol {
    /// TLS 1.2 (RFC 5246).
    #[cfg_attr(feature = "serde", serde(rename = "1.2"))]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    #[cfg_attr(feature = "serde", serde(rename = "1.3"))]
    Tls13,
}

impl Protocol {
    /// Both versions, the older first.
    pub const ALL: [Self; 2] = [Self::Tls12, Self::Tls13];

    /// The version's number.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS {}", self.as_str())
    }
}

/// A text is neither `1.2` nor `1.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("give 1.2 or 1.3")]
pub struct UnknownProtocol;

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(number: &str) -> Result<Self, UnknownProtocol> {
        let mut versions = Self::ALL.into_iter();
        let version = versions.find(|version| version.as_str() == number);
        version.ok_or(UnknownProtocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_its_number() {
        for version in Protocol::ALL {
            assert_eq!(version.as_str().parse(), Ok(version));
            assert_eq!(version.to_string(), format!("TLS {}", version.as_str()));
        }
        for other in ["", "1", "1.1", "1.20", "TLS 1.2", "tlsv1.3"] {
            assert_eq!(other.parse::<Protocol>(), Err(UnknownProtocol), "{other}");
        }
    }
}
