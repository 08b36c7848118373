//! The rustls configuration and the security domain of a connector's settings.

use std::sync::Arc;

use backend_rustls::preview::{RUSTLS_VERSION, all_groups};
use pki_types::TrustAnchor;
use rustls_next::crypto::kx::NamedGroup;
use rustls_next::crypto::{CryptoProvider, Identity};
use rustls_next::enums::ApplicationProtocol;
use rustls_next::{ClientConfig, RootCertStore};
use store_core::SecurityDomain;

use crate::settings::Settings;
use crate::{Error, Protocol, domain, named_group};

/// Removes the cipher suites of versions that are not in `protocols` from the provider: this rustls
/// speaks each version that it has a cipher suite for.
pub(super) fn with_protocols(
    protocols: &[Protocol],
    mut provider: Arc<CryptoProvider>,
) -> Arc<CryptoProvider> {
    let suites = Arc::make_mut(&mut provider);
    if !protocols.contains(&Protocol::Tls12) {
        suites.tls12_cipher_suites.to_mut().clear();
    }
    if !protocols.contains(&Protocol::Tls13) {
        suites.tls13_cipher_suites.to_mut().clear();
    }
    provider
}

/// The provider with the groups of the settings, if there are any.
pub(super) fn with_groups(
    settings: &Settings,
    mut provider: Arc<CryptoProvider>,
) -> Result<Arc<CryptoProvider>, Error> {
    if !settings.groups.is_empty() {
        let supported = all_groups().iter().copied();
        let supported = supported.map(|group| (group.name().0.into(), group));
        let groups = named_group::select(&settings.groups, &supported.collect::<Vec<_>>())?;
        Arc::make_mut(&mut provider).kx_groups = groups.into();
    }
    Ok(provider)
}

/// The domain of a connector: its settings, its crypto provider, the version of rustls, and the
/// compiled-in roots if they are trusted. The same in every process and build.
pub(super) fn domain_of(settings: &Settings, provider: &CryptoProvider) -> SecurityDomain {
    domain_with(settings, provider, webpki_roots::TLS_SERVER_ROOTS)
}

fn domain_with(
    settings: &Settings,
    provider: &CryptoProvider,
    compiled_in: &[TrustAnchor<'_>],
) -> SecurityDomain {
    let tls12_suites = provider.tls12_cipher_suites.iter();
    let tls13_suites = provider.tls13_cipher_suites.iter();
    let groups = provider.kx_groups.iter().map(|group| group.name());
    let compiled_in = compiled_in.iter().filter(|_| settings.roots.is_empty());
    domain::builder(settings, "rustls preview")
        .field("library", RUSTLS_VERSION.as_bytes())
        .list(
            "cipher suites of TLS 1.2",
            tls12_suites.map(|suite| suite.common.suite.to_array()),
        )
        .list(
            "cipher suites of TLS 1.3",
            tls13_suites.map(|suite| suite.common.suite.to_array()),
        )
        .list("groups", groups.map(NamedGroup::to_array))
        .list("roots compiled in", compiled_in.flat_map(root_fields))
        .finish()
}

/// A root's name, key and name constraints.
fn root_fields<'a>(root: &'a TrustAnchor<'_>) -> [&'a [u8]; 3] {
    let constraints = root.name_constraints.as_deref().unwrap_or_default();
    [&root.subject, &root.subject_public_key_info, constraints]
}

pub(super) fn config(
    settings: &Settings,
    provider: Arc<CryptoProvider>,
) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    if settings.roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for root in &settings.roots {
        let added = roots.add(root.clone());
        added.map_err(|error| config_error("a root certificate cannot be used", error))?;
    }
    let config = ClientConfig::builder(provider).with_root_certificates(roots);
    let mut config = match &settings.client {
        Some(client) => {
            let unusable = |error| config_error("the client certificate cannot be used", error);
            let identity = Identity::from_cert_chain(client.chain().to_vec())
                .map_err(|error| unusable(error.into()))?;
            config
                .with_client_auth_cert(Arc::new(identity), client.key().clone_key())
                .map_err(unusable)?
        }
        None => config
            .with_no_client_auth()
            .map_err(|error| config_error("rustls rejects the settings", error))?,
    };
    config.alpn_protocols = settings
        .alpn
        .iter()
        .map(|name| ApplicationProtocol::from(name.clone()))
        .collect();
    Ok(config)
}

fn config_error(what: &str, error: rustls_next::Error) -> Error {
    Error::config(format_args!("{what}: {error}")).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use backend_rustls::preview::provider;
    use pki_types::CertificateDer;
    use std::collections::HashSet;

    /// R1.
    #[test]
    fn the_domain_depends_on_suites_and_groups_and_not_on_the_process() {
        let settings = Settings::default();
        let domain = |change: fn(&mut CryptoProvider)| {
            let mut provider = provider();
            change(Arc::make_mut(&mut provider));
            domain_of(&settings, &provider)
        };
        let domains = [
            domain(|_| {}),
            domain(|provider| provider.tls12_cipher_suites.to_mut().truncate(1)),
            domain(|provider| provider.tls13_cipher_suites.to_mut().truncate(1)),
            domain(|provider| provider.tls13_cipher_suites.to_mut().reverse()),
            domain(|provider| provider.kx_groups.to_mut().reverse()),
        ];
        for (i, one) in domains.iter().enumerate() {
            assert_eq!(domains.iter().position(|it| it == one), Some(i));
        }
        assert_eq!(domains[0], domain(|_| {}));
    }

    /// R1, R5.
    #[test]
    fn compiled_in_roots_change_the_domain_if_they_are_trusted() {
        let provider = provider();
        let all = webpki_roots::TLS_SERVER_ROOTS;
        let named: HashSet<_> = all.iter().map(root_fields).collect();
        assert_eq!(named.len(), all.len());

        let mut settings = Settings::default();
        let domain = |settings: &Settings, roots| domain_with(settings, &provider, roots);
        assert_eq!(domain(&settings, all), domain_of(&settings, &provider));
        assert_ne!(domain(&settings, all), domain(&settings, &all[1..]));
        settings.roots = vec![CertificateDer::from(vec![1])];
        assert_eq!(domain(&settings, all), domain(&settings, &all[1..]));
    }

    #[test]
    fn suites_of_other_versions_are_removed() {
        for (protocols, tls12, tls13) in [
            (&[Protocol::Tls12][..], true, false),
            (&[Protocol::Tls13], false, true),
            (&[Protocol::Tls12, Protocol::Tls13], true, true),
        ] {
            let provider = with_protocols(protocols, provider());
            assert_eq!(!provider.tls12_cipher_suites.is_empty(), tls12);
            assert_eq!(!provider.tls13_cipher_suites.is_empty(), tls13);
        }
    }
}
