//! The security domain of a connector: a digest of everything that decides over trust.

use store_core::{DomainBuilder, ReuseTickets, SecurityDomain};

use crate::settings::Settings;

/// To be changed in a release that must not use the sessions of earlier ones.
const FORMAT: &[u8] = b"1";

/// Starts the domain of a connector with the settings that decide over trust, or over what is offered
/// to a server. Each backend adds its cipher suites, groups and version.
///
/// `settings` are loaded, so roots and versions are sorted. ALPN names are in the client's order of
/// preference.
pub(crate) fn builder(settings: &Settings, backend: &str) -> DomainBuilder {
    let (chain, key) = match &settings.client {
        Some(client) => (client.chain(), Some(client.key().secret_der())),
        None => (&[][..], None),
    };
    SecurityDomain::builder("tls-resume connector")
        .field("format", FORMAT)
        .field("backend", backend.as_bytes())
        .field("name", settings.domain.as_bytes())
        .field("transport", b"tcp")
        .field("role", b"origin")
        .field("verifier", b"chain and name")
        // Without roots of its own, a connector trusts Mozilla's, as compiled in.
        .field("own roots", &[u8::from(!settings.roots.is_empty())])
        .list("roots", &settings.roots)
        .list("client certificates", chain)
        // A certificate with another key must not resume the sessions of the right key.
        .list("client key", key)
        .list(
            "protocols",
            settings.protocols.iter().map(ToString::to_string),
        )
        .list("alpn", &settings.alpn)
        // Those of the TLS library, if there are none, are for the backend to add.
        .list(
            "groups that are set",
            settings.groups.iter().map(|group| group.to_be_bytes()),
        )
        // A ticket that must be used once is not to be had by a connector that uses it again.
        .field(
            "reuses tickets",
            &[u8::from(settings.reuse_tickets != ReuseTickets::Never)],
        )
}

/// The domain of a partition's sessions.
pub(crate) fn of_partition(connector: &SecurityDomain, name: &str) -> SecurityDomain {
    SecurityDomain::builder("tls-resume partition")
        .field("connector", connector.as_bytes())
        .field("name", name.as_bytes())
        .finish()
}

/// The domain of a connector's QUIC sessions: sessions made over TCP are not used over QUIC, and
/// the other way round.
#[cfg(feature = "quinn")]
pub(crate) fn of_quic(connector: &SecurityDomain) -> SecurityDomain {
    SecurityDomain::builder("tls-resume quinn")
        .field("connector", connector.as_bytes())
        .field("transport", b"quic")
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::{ClientCredential, NamedGroup, Protocol};
    use pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

    fn credential(chain: u8, key: u8) -> Arc<ClientCredential> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(vec![key]));
        let chain = vec![CertificateDer::from(vec![chain])];
        Arc::new(ClientCredential::new(chain, key))
    }

    fn domain(change: impl FnOnce(&mut Settings)) -> SecurityDomain {
        let mut settings = Settings::default();
        change(&mut settings);
        builder(&settings.load().expect("valid settings"), "backend").finish()
    }

    /// R1, R5.
    #[test]
    fn every_setting_that_decides_over_trust_changes_the_domain() {
        let root = |n: u8| CertificateDer::from(vec![n]);
        let domains = [
            domain(|_| {}),
            domain(|settings| settings.domain = "mail-out".into()),
            domain(|settings| settings.reuse_tickets = ReuseTickets::UntilRenewed),
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
            domain(|settings| settings.groups = vec![NamedGroup::X25519]),
            domain(|settings| settings.groups = vec![NamedGroup::X25519, NamedGroup::X448]),
            domain(|settings| settings.groups = vec![NamedGroup::X448, NamedGroup::X25519]),
            builder(&Settings::default().load().expect("valid"), "other backend").finish(),
        ];
        for (i, one) in domains.iter().enumerate() {
            for (j, other) in domains[..i].iter().enumerate() {
                assert_ne!(one, other, "{i} and {j}");
            }
        }
    }

    /// R1, R35: a partition within another is not one with a longer name.
    #[test]
    fn partitions_have_domains_of_their_own() {
        let connector = domain(|_| {});
        let a = of_partition(&connector, "a");
        let domains = [
            connector,
            a,
            of_partition(&connector, "b"),
            of_partition(&connector, ""),
            of_partition(&connector, "ab"),
            of_partition(&a, "b"),
            of_partition(&domain(|settings| settings.domain = "a".into()), "a"),
        ];
        for (i, one) in domains.iter().enumerate() {
            assert!(!domains[..i].contains(one), "{i}");
        }
        assert_eq!(a, of_partition(&connector, "a"));
    }

    #[test]
    fn other_settings_and_orders_leave_the_domain_as_it_is() {
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
