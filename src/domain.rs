//! The security domain of a connector: all that decides over trust, in one digest.

use store_core::{DomainBuilder, SecurityDomain};

use crate::settings::Settings;

/// Changes when a session of an earlier format must not be used any more.
const FORMAT: &[u8] = b"1";

/// Starts the domain of a connector with everything its settings say of trust and of what is
/// offered; a backend adds what it alone knows (cipher suites, groups, its version).
///
/// `settings` are loaded: roots and versions have their order, ALPN names keep theirs, which is
/// the client's preference.
pub(crate) fn of(settings: &Settings, backend: &str) -> DomainBuilder {
    let (chain, key) = match &settings.client {
        Some(client) => (client.chain.as_slice(), Some(client.key.secret_der())),
        None => (&[][..], None),
    };
    SecurityDomain::builder("tls-resume connector")
        .field("format", FORMAT)
        .field("backend", backend.as_bytes())
        .field("name", settings.domain.as_bytes())
        .field("transport", b"tcp")
        .field("role", b"origin")
        .field("verifier", b"chain and name")
        // None given means Mozilla's, as compiled in.
        .field("own roots", &[u8::from(!settings.roots.is_empty())])
        .list("roots", &settings.roots)
        .list("client certificates", chain)
        // A certificate with a key that is not its own must not resume what the right one began.
        .list("client key", key)
        .list(
            "protocols",
            settings.protocols.iter().map(ToString::to_string),
        )
        .list("alpn", &settings.alpn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;
    use crate::settings::ClientCredential;
    use pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

    fn credential(chain: u8, key: u8) -> ClientCredential {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(vec![key]));
        ClientCredential {
            chain: vec![CertificateDer::from(vec![chain])],
            key,
        }
    }

    fn domain(change: impl FnOnce(&mut Settings)) -> SecurityDomain {
        let mut settings = Settings::default();
        change(&mut settings);
        of(&settings.load().expect("valid settings"), "backend").finish()
    }

    /// R1, R5: each field of the configuration in turn is another domain.
    #[test]
    fn every_field_that_decides_over_trust_separates() {
        let root = |n: u8| CertificateDer::from(vec![n]);
        let domains = [
            domain(|_| {}),
            domain(|settings| settings.domain = "mail-out".into()),
            domain(|settings| settings.roots = vec![root(1)]),
            domain(|settings| settings.roots = vec![root(2)]),
            domain(|settings| settings.roots = vec![root(1), root(2)]),
            domain(|settings| settings.client = Some(credential(1, 1))),
            domain(|settings| settings.client = Some(credential(2, 1))),
            domain(|settings| settings.client = Some(credential(1, 2))),
            domain(|settings| settings.protocols = vec![Protocol::Tls12]),
            domain(|settings| settings.protocols = vec![Protocol::Tls13]),
            domain(|settings| settings.alpn = vec![b"h2".to_vec()]),
            domain(|settings| settings.alpn = vec![b"h2".to_vec(), b"http/1.1".to_vec()]),
            domain(|settings| settings.alpn = vec![b"http/1.1".to_vec(), b"h2".to_vec()]),
            of(&Settings::default().load().expect("valid"), "other backend").finish(),
        ];
        for (i, one) in domains.iter().enumerate() {
            for (j, other) in domains[..i].iter().enumerate() {
                assert_ne!(one, other, "{i} and {j}");
            }
        }
    }

    /// What has no meaning in its order or in what is kept where makes no other domain.
    #[test]
    fn what_decides_nothing_does_not_separate() {
        let root = |n: u8| CertificateDer::from(vec![n]);
        let plain = domain(|_| {});
        assert_eq!(
            plain,
            domain(|settings| settings.never_resume.push("example.com".into()))
        );
        assert_eq!(plain, domain(|settings| settings.limits.servers = 1));
        assert_eq!(
            domain(|settings| settings.roots = vec![root(1), root(2)]),
            domain(|settings| settings.roots = vec![root(2), root(1), root(2)]),
        );
        assert_eq!(
            plain,
            domain(|settings| settings.protocols = vec![Protocol::Tls13, Protocol::Tls12]),
        );
    }
}
