//! The names of the keys in Redis.

use crc16::{State, XMODEM};

use super::run_id::RunId;
use super::settings::RedisError;
use crate::ServerId;

/// The version of the layout. Different versions use different keys.
const LAYOUT: u32 = 1;
/// Longest namespace in bytes.
const MAX_NAMESPACE: usize = 64;

/// The names of keys: `namespace:1:{server}:once:run_id` for single-use records and
/// `namespace:1:{server}:often:run_id` for the reusable one, the server as 64 hexadecimal digits.
/// The part in braces is the hash tag, which decides the [`slot`] in a cluster.
#[derive(Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(namespace: &str) -> Result<Self, RedisError> {
        // No characters of a `SCAN` pattern or a hash tag.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
        if namespace.is_empty()
            || namespace.len() > MAX_NAMESPACE
            || !namespace.bytes().all(is_plain)
        {
            return Err(RedisError::Namespace);
        }
        Ok(Self {
            prefix: format!("{namespace}:{LAYOUT}:"),
        })
    }

    /// The sorted set of a server's single-use records.
    pub(super) fn single_use(&self, server: &ServerId, run_id: &RunId) -> String {
        self.key(server, "once", run_id)
    }

    /// A server's reusable record. It has the run id, too, because a revoked record must not come
    /// back after a restart.
    pub(super) fn reusable(&self, server: &ServerId, run_id: &RunId) -> String {
        self.key(server, "often", run_id)
    }

    /// The `SCAN` pattern of the keys of all namespaces.
    pub(super) const PATTERN_OF_ALL: &str = "*:1:{*}:o*:*";

    /// Parses a key of this namespace: its server, whether it has single-use records, and its run.
    pub(super) fn parse<'a>(&self, key: &'a str) -> Option<(ServerId, bool, &'a str)> {
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix('{')?;
        let (digits, rest) = rest.split_once("}:")?;
        let (kind, run) = rest.split_once(':')?;
        let mut server = [0; 32];
        if digits.len() != 64 || !digits.is_ascii() {
            return None;
        }
        for (index, byte) in server.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).ok()?;
        }
        Some((ServerId::from_bytes(server), kind == "once", run))
    }

    fn key(&self, server: &ServerId, kind: &str, run_id: &RunId) -> String {
        let (prefix, server, run_id) = (&self.prefix, digits(server), run_id.as_str());
        [prefix, "{", &server, "}:", kind, ":", run_id].concat()
    }

    /// The `SCAN` pattern of the keys of this namespace and layout.
    pub(super) fn pattern(&self) -> String {
        format!("{}{{*", self.prefix)
    }
}

/// The slot of a server's keys in a cluster (Redis Cluster specification, "Key distribution model").
pub(super) fn slot(server: &ServerId) -> u16 {
    State::<XMODEM>::calculate(digits(server).as_bytes()) % 16_384
}

fn digits(server: &ServerId) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    let mut digits = String::with_capacity(64);
    for byte in server.as_bytes() {
        digits.push(digit(byte >> 4));
        digits.push(digit(byte & 15));
    }
    digits
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
        let run_id = RunId::parse("run_id:a\nrole:master\nmaster_replid:b\n", None).unwrap();
        let single_use = keys.single_use(&server, &run_id);
        let reusable = keys.reusable(&server, &run_id);

        let tag = |key: &str| key.split(['{', '}']).nth(1).unwrap().to_owned();
        assert_eq!(tag(&single_use).len(), 64);
        assert_eq!(tag(&single_use), tag(&reusable));
        assert!(single_use.starts_with("tls-resume:1:{"), "{single_use}");
        assert!(single_use.ends_with(run_id.as_str()));
        assert!(reusable.ends_with(run_id.as_str()));
        assert_ne!(single_use, reusable);
        assert_eq!(
            keys.parse(&single_use),
            Some((server, true, run_id.as_str()))
        );
        assert_eq!(
            keys.parse(&reusable),
            Some((server, false, run_id.as_str()))
        );
        for other in [
            "tls-resume:1:{",
            "other:1:{x}:once:y",
            "tls-resume:1:{aa}:once:y",
        ] {
            assert_eq!(keys.parse(other), None);
        }
    }

    #[test]
    fn a_namespace_has_no_pattern_or_hash_tag() {
        for wrong in ["", "a*", "a?", "[a]", "a{b", "a}b", "a b", "a\n", "\u{e9}"] {
            assert!(Keys::new(wrong).is_err(), "{wrong:?}");
        }
        assert!(Keys::new(&"a".repeat(65)).is_err());
        assert!(Keys::new("team-a/tls_resume:v.2").is_ok());
    }
}
