//! What the keys in Redis are called.

use std::fmt::Write as _;

use super::RedisError;
use super::run::Run;
use crate::ServerId;

/// The version of what lies under the keys: another one lies under other keys.
const LAYOUT: u32 = 1;
/// Longest namespace in bytes.
const NAMESPACE: usize = 64;

/// The names of our keys: `namespace:1:{server}:once:run` and `namespace:1:{server}:often:run`, the
/// server as 64 hexadecimal digits. What stands in braces decides over the slot of a cluster.
#[derive(Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(namespace: &str) -> Result<Self, RedisError> {
        // Nothing that would be a pattern for `SCAN`, or another hash tag.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
        if namespace.is_empty() || namespace.len() > NAMESPACE || !namespace.bytes().all(plain) {
            return Err(RedisError::Namespace);
        }
        Ok(Self {
            prefix: format!("{namespace}:{LAYOUT}:"),
        })
    }

    /// The sorted set of a server's single-use records, as this run of Redis has it.
    pub(super) fn once(&self, server: &ServerId, run: &Run) -> String {
        format!("{}:once:{}", self.server(server), run.as_str())
    }

    /// The server's reusable record, likewise: one that was revoked must not come back either.
    pub(super) fn often(&self, server: &ServerId, run: &Run) -> String {
        format!("{}:often:{}", self.server(server), run.as_str())
    }

    /// What all our keys match, and no other.
    pub(super) fn pattern(&self) -> String {
        format!("{}{{*", self.prefix)
    }

    fn server(&self, server: &ServerId) -> String {
        let mut name = format!("{}{{", self.prefix);
        for byte in server.as_bytes() {
            let _ = write!(name, "{byte:02x}"); // a string takes all
        }
        name.push('}');
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyRing;
    use store_core::{KeyRef, SecurityDomain};

    #[test]
    fn keys_of_a_server_share_their_hash_tag() {
        let ring = KeyRing::new([7; 32], [(1, [8; 32])]).unwrap();
        let domain = SecurityDomain::builder("test").finish();
        let server = ring.server_id(KeyRef::new(&domain, "example.com"));
        let keys = Keys::new("tls-resume").unwrap();
        let run = Run::parse("run_id:a\r\nrole:master\r\nmaster_replid:b\r\n").unwrap();
        let (once, often) = (keys.once(&server, &run), keys.often(&server, &run));

        let tag = |key: &str| key.split(['{', '}']).nth(1).unwrap().to_owned();
        assert_eq!(tag(&once).len(), 64);
        assert_eq!(tag(&once), tag(&often));
        assert!(once.starts_with("tls-resume:1:{"), "{once}");
        assert!(once.ends_with(run.as_str()));
        assert!(often.ends_with(run.as_str()));
        assert_ne!(once, often);
    }

    #[test]
    fn a_namespace_is_no_pattern_and_no_hash_tag() {
        for wrong in ["", "a*", "a?", "[a]", "a{b", "a}b", "a b", "a\n", "\u{e9}"] {
            assert!(Keys::new(wrong).is_err(), "{wrong:?}");
        }
        assert!(Keys::new(&"a".repeat(65)).is_err());
        assert!(Keys::new("team-a/tls_resume:v.2").is_ok());
    }
}
