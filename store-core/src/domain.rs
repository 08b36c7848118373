//! The security domain of a session.

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256 digest over all settings that decide whether a resumed handshake may be trusted.
///
/// A resumed handshake verifies no certificate: it inherits the result of the full handshake that
/// created the session. So a session may be used only where that result would have been the same:
/// same backend, roots, verifier policy, client credential, protocol versions, cipher suites,
/// groups, ALPN, transport and role. All of these are fields of the domain, and the domain is part
/// of every [`SessionKey`](crate::SessionKey). A changed configuration has a new domain, and no
/// longer finds the old sessions.
///
/// The same fields give the same digest in every process, in every build and on every machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecurityDomain([u8; 32]);

impl SecurityDomain {
    /// Starts a domain. `purpose` separates callers that use the same field names with different
    /// meanings: give the name of the backend and the version of its format.
    pub fn builder(purpose: &str) -> DomainBuilder {
        DomainBuilder {
            hash: Sha256::new(),
        }
        .field("purpose", purpose.as_bytes())
    }

    /// The 32 bytes of the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for SecurityDomain {
    /// Wraps a digest that was computed elsewhere.
    fn from(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl fmt::Debug for SecurityDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "SecurityDomain({a:02x}{b:02x}..)")
    }
}

/// Builder of a [`SecurityDomain`].
///
/// The digest covers each name, the number of values and each value. Names and values have a prefix
/// of 64 bits with their length, so that no two lists of fields have the same encoding.
#[derive(Clone)]
#[must_use = "`finish` returns the domain"]
pub struct DomainBuilder {
    hash: Sha256,
}

impl DomainBuilder {
    /// Adds one field.
    pub fn field(mut self, name: &str, value: &[u8]) -> Self {
        self.write(name.as_bytes());
        self.write_len(1);
        self.write(value);
        self
    }

    /// Adds a field with several values, whose order matters.
    pub fn list<T: AsRef<[u8]>>(mut self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        let values: Vec<T> = values.into_iter().collect();
        self.write(name.as_bytes());
        self.write_len(values.len());
        for value in &values {
            self.write(value.as_ref());
        }
        self
    }

    /// The domain of the fields added so far.
    pub fn finish(self) -> SecurityDomain {
        SecurityDomain(self.hash.finalize().into())
    }

    fn write(&mut self, bytes: &[u8]) {
        self.write_len(bytes.len());
        self.hash.update(bytes);
    }

    fn write_len(&mut self, len: usize) {
        self.hash.update((len as u64).to_be_bytes());
    }
}

impl fmt::Debug for DomainBuilder {
    /// Shows no field: one may come from a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DomainBuilder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(fields: &[(&str, &[u8])]) -> SecurityDomain {
        let start = SecurityDomain::builder("test");
        fields
            .iter()
            .fold(start, |domain, (name, value)| domain.field(name, value))
            .finish()
    }

    /// R2: different fields have different encodings.
    #[test]
    fn fields_do_not_run_together() {
        let all = [
            domain(&[]),
            domain(&[("a", b"")]),
            domain(&[("", b"a")]),
            domain(&[("a", b"bc")]),
            domain(&[("ab", b"c")]),
            domain(&[("a", b"b"), ("c", b"")]),
            domain(&[("a", b""), ("b", b"c")]),
            domain(&[("a", b"b"), ("a", b"c")]),
            domain(&[("a", b"\0\0\0\0\0\0\0\x01b")]),
            SecurityDomain::builder("test")
                .list("a", [b"b", b"c"])
                .finish(),
            SecurityDomain::builder("test")
                .list("a", [b"bc"])
                .list("", [b""; 0])
                .finish(),
            SecurityDomain::builder("test").list("a", [b""; 0]).finish(),
            SecurityDomain::builder("testa").finish(),
        ];
        for (i, one) in all.iter().enumerate() {
            for other in &all[..i] {
                assert_ne!(one, other);
            }
        }
    }

    /// R2: the digest is SHA-256 over the documented encoding.
    #[test]
    fn the_digest_is_stable() {
        let expected = {
            let mut hash = Sha256::new();
            for part in ["purpose", "test"] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
                if part == "purpose" {
                    hash.update(1u64.to_be_bytes());
                }
            }
            <[u8; 32]>::from(hash.finalize())
        };
        assert_eq!(domain(&[]).as_bytes(), &expected);
    }

    #[test]
    fn debug_shows_two_bytes_only() {
        let text = format!("{:?}", SecurityDomain::from([0xab; 32]));
        assert_eq!(text, "SecurityDomain(abab..)");
    }
}
