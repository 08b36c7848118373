//! Key-exchange groups, and which of them a TLS library supports.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::Error;

/// A key-exchange group: a number of IANA's "TLS Supported Groups" registry (RFC 8446, section 4.2.7).
///
/// `Display` and serde write its name, such as `X25519MLKEM768`, or its number as `0x001d` if it is none
/// of the constants. `FromStr` and serde read both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedGroup(u16);

macro_rules! groups {
    ($($constant:ident = $number:literal, $name:literal;)+) => {
        impl NamedGroup {
            $(
                #[doc = concat!("`", $name, "`.")]
                pub const $constant: Self = Self($number);
            )+

            /// All constants, with their names.
            const NAMED: &[(Self, &str)] = &[$((Self::$constant, $name)),+];
        }
    };
}

groups! {
    SECP256R1 = 0x0017, "secp256r1";
    SECP384R1 = 0x0018, "secp384r1";
    SECP521R1 = 0x0019, "secp521r1";
    X25519 = 0x001d, "x25519";
    X448 = 0x001e, "x448";
    FFDHE2048 = 0x0100, "ffdhe2048";
    FFDHE3072 = 0x0101, "ffdhe3072";
    FFDHE4096 = 0x0102, "ffdhe4096";
    MLKEM512 = 0x0200, "MLKEM512";
    MLKEM768 = 0x0201, "MLKEM768";
    MLKEM1024 = 0x0202, "MLKEM1024";
    SECP256R1MLKEM768 = 0x11eb, "SecP256r1MLKEM768";
    X25519MLKEM768 = 0x11ec, "X25519MLKEM768";
    SECP384R1MLKEM1024 = 0x11ed, "SecP384r1MLKEM1024";
}

impl NamedGroup {
    /// All constants.
    #[cfg(feature = "openssl")]
    pub(crate) fn all_named() -> impl Iterator<Item = Self> {
        Self::NAMED.iter().map(|(group, _)| *group)
    }

    /// The number, for the security domain.
    pub(crate) fn to_be_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

impl From<u16> for NamedGroup {
    fn from(number: u16) -> Self {
        Self(number)
    }
}

impl From<NamedGroup> for u16 {
    fn from(group: NamedGroup) -> Self {
        group.0
    }
}

impl fmt::Display for NamedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMED.iter().find(|(group, _)| group == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

impl fmt::Debug for NamedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamedGroup({self})")
    }
}

/// A text is neither the name of a [`NamedGroup`] nor a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "give a group by its name in IANA's registry, such as X25519MLKEM768, or by its number, such as 0x11ec"
)]
pub struct UnknownGroup;

impl FromStr for NamedGroup {
    type Err = UnknownGroup;

    /// Reads a name, in upper or lower case, or a number as `0x001d`.
    fn from_str(text: &str) -> Result<Self, UnknownGroup> {
        let named = |(_, name): &&(Self, &str)| name.eq_ignore_ascii_case(text);
        if let Some((group, _)) = Self::NAMED.iter().find(named) {
            return Ok(*group);
        }
        let number = text.strip_prefix("0x").ok_or(UnknownGroup)?;
        let number = u16::from_str_radix(number, 16);
        number.map(Self).map_err(|_| UnknownGroup)
    }
}

impl Serialize for NamedGroup {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NamedGroup {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Finds each of the `wanted` groups in what a library supports, in the order of `wanted`.
pub(crate) fn select<T: Copy>(
    wanted: &[NamedGroup],
    supported: &[(NamedGroup, T)],
) -> Result<Vec<T>, Error> {
    let find = |wanted: &NamedGroup| {
        let found = supported.iter().find(|(group, _)| group == wanted);
        found.map(|(_, found)| *found).ok_or_else(|| {
            let names = supported.iter().map(|(group, _)| group.to_string());
            let names = names.collect::<Vec<_>>().join(", ");
            Error::config(format_args!(
                "groups: {wanted} is not supported by the TLS library: choose among {names}"
            ))
        })
    };
    wanted.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_read_from_its_name_or_number() {
        for (group, name) in NamedGroup::NAMED {
            assert_eq!(name.parse(), Ok(*group));
            assert_eq!(name.to_uppercase().parse(), Ok(*group));
            assert_eq!(group.to_string(), *name);
            assert_eq!(format!("{:#06x}", group.0).parse(), Ok(*group));
        }
        let other = NamedGroup::from(0x0016);
        assert_eq!(other.to_string(), "0x0016");
        assert_eq!("0x0016".parse(), Ok(other));
        for text in ["", "29", "0x", "0x10000", "P-256", "X25519:x448", "x25519 "] {
            assert_eq!(text.parse::<NamedGroup>(), Err(UnknownGroup), "{text}");
        }
    }

    #[test]
    fn groups_are_selected_in_the_order_wanted() {
        let supported = [(NamedGroup::X25519, 1), (NamedGroup::SECP256R1, 2)];
        let selected = select(&[NamedGroup::SECP256R1, NamedGroup::X25519], &supported);
        assert_eq!(selected.expect("both"), [2, 1]);
        let error = select(&[NamedGroup::X448], &supported).expect_err("not supported");
        assert!(error.to_string().contains("x448"), "{error}");
        assert!(error.to_string().ends_with("x25519, secp256r1"), "{error}");
    }
}
