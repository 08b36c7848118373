//! The value of `--store`.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// Where sessions are stored: memory, or a tier that other processes see.
///
/// A tier's URL is checked when it is opened, not when it is parsed: a parse error of clap would
/// repeat the password that it may contain.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StoreLocation {
    tier_url: Option<String>,
}

impl StoreLocation {
    /// The URL of the tier; `None` for memory.
    pub fn tier_url(&self) -> Option<&str> {
        self.tier_url.as_deref()
    }
}

impl FromStr for StoreLocation {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_memory = matches!(text, "memory" | "memory:");
        Ok(Self {
            tier_url: (!is_memory).then(|| text.to_owned()),
        })
    }
}

impl fmt::Debug for StoreLocation {
    /// Hides the URL, which may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.tier_url {
            None => "memory",
            Some(_) => "tier",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_spelled_with_and_without_a_colon() {
        for text in ["memory", "memory:"] {
            assert_eq!(text.parse(), Ok(StoreLocation::default()));
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let Ok(location) = "redis://:secret@host".parse::<StoreLocation>();
        assert_eq!(location.tier_url(), Some("redis://:secret@host"));
        assert!(!format!("{location:?}").contains("secret"));
    }
}
