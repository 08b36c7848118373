//! The security domain: everything that decides whether a resumed handshake may be trusted.

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256 digest over everything that decides whether a resumed handshake may be trusted.
///
/// A resumed handshake verifies no certificate: it inherits the verdict of the full handshake
/// that made the session. So a session may only be used where that verdict would have been the
/// same: same backend, roots, verifier policy, client credential, protocol versions, cipher
/// suites, groups, ALPN, transport and role. All of that goes into the domain, and the domain
/// into every [`SessionKey`](crate::SessionKey). A changed configuration is a new domain, and the
/// old sessions are out of reach at once.
///
/// The digest is the same in every process, build and machine that adds the same fields.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecurityDomain([u8; 32]);

impl SecurityDomain {
    /// Starts a domain. `purpose` separates users of this crate that mean different things by the
    /// same fields: name the backend and the version of its format.
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
    /// Takes a digest that was computed elsewhere.
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

/// Collects the fields of a [`SecurityDomain`].
///
/// Names, values and the number of values in a list are length-prefixed with 64 bits, so that no
/// field can run into the next.
#[derive(Clone)]
#[must_use = "a domain is made by `finish`"]
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

    /// Adds a field that is a list, in its order.
    pub fn list<T: AsRef<[u8]>>(mut self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        let values: Vec<T> = values.into_iter().collect();
        self.write(name.as_bytes());
        self.write_len(values.len());
        for value in &values {
            self.write(value.as_ref());
        }
        self
    }

    /// The domain of the fields so far.
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
    /// Shows nothing: fields may come from credentials.
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

    /// R2: no field can run into the next.
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

    /// R2: SHA-256, the same in every build: the digest of a known encoding.
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
