//! Where the sessions of a probe are kept.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// The value of `--store`: memory alone, or a place beyond it that other processes see.
///
/// What is no such place comes out when it is opened, so that no message repeats the password that
/// an address may have.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Place {
    beyond: Option<String>,
}

impl Place {
    /// The address of the place, unless it is memory.
    pub fn beyond(&self) -> Option<&str> {
        self.beyond.as_deref()
    }
}

impl FromStr for Place {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_memory = matches!(text, "memory" | "memory:");
        Ok(Self {
            beyond: (!is_memory).then(|| text.to_owned()),
        })
    }
}

impl fmt::Debug for Place {
    /// Never shows an address: there may be a password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.beyond {
            None => "memory",
            Some(_) => "beyond memory",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_spelled_with_and_without_a_colon() {
        for text in ["memory", "memory:"] {
            assert_eq!(text.parse(), Ok(Place::default()));
        }
        let Ok(place) = "redis://:secret@host".parse::<Place>();
        assert_eq!(place.beyond(), Some("redis://:secret@host"));
        assert!(!format!("{place:?}").contains("secret"));
    }
}
