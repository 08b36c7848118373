//! The rustls configuration and the security domain of a connector's settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::rustls::client::ResolvesClientCert;
use ::rustls::crypto::{CryptoProvider, aws_lc_rs};
use ::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use store_core::{DomainBuilder, SecurityDomain};

use crate::settings::Settings;
use crate::{Error, Protocol, domain, named_group};

/// The provider with the groups of the settings: `own`, if it is set, else aws-lc-rs, which implements
/// more groups than it offers by default.
pub(super) fn provider(
    settings: &Settings,
    own: Option<Arc<CryptoProvider>>,
) -> Result<Arc<CryptoProvider>, Error> {
    let is_own = own.is_some();
    let mut provider = own.unwrap_or_else(backend_rustls::provider);
    if !settings.groups.is_empty() {
        let supported = if is_own {
            &provider.kx_groups
        } else {
            aws_lc_rs::ALL_KX_GROUPS
        };
        let supported = supported.iter().copied();
        let supported = supported.map(|group| (u16::from(group.name()).into(), group));
        let groups = named_group::select(&settings.groups, &supported.collect::<Vec<_>>())?;
        Arc::make_mut(&mut provider).kx_groups = groups;
    }
    Ok(provider)
}

/// The domain of a connector: its settings, its crypto provider, and an instance number. rustls
/// 0.23 rejects a session that another verifier object has verified, and the session is lost.
pub(super) fn domain_of(settings: &Settings, provider: &CryptoProvider) -> SecurityDomain {
    static INSTANCES: AtomicU64 = AtomicU64::new(0);
    let instance = INSTANCES.fetch_add(1, Ordering::Relaxed);
    // No field for the compiled-in roots: these sessions stay in the process, where they are the
    // same.
    offers(domain::builder(settings, "rustls 0.23"), provider)
        .field("instance", &instance.to_be_bytes())
        .finish()
}

/// Adds the cipher suites and groups that are offered to a server.
fn offers(domain: DomainBuilder, provider: &CryptoProvider) -> DomainBuilder {
    let suites = provider
        .cipher_suites
        .iter()
        .map(|suite| u16::from(suite.suite()).to_be_bytes());
    let groups = provider
        .kx_groups
        .iter()
        .map(|group| u16::from(group.name()).to_be_bytes());
    domain.list("cipher suites", suites).list("groups", groups)
}

pub(super) fn config(
    settings: &Settings,
    provider: Arc<CryptoProvider>,
    resolver: Arc<dyn ResolvesClientCert>,
) -> Result<ClientConfig, Error> {
    let config_error = |error: ::rustls::Error| {
        Error::config(format_args!("rustls rejects the settings: {error}")).caused_by(error)
    };
    let mut roots = RootCertStore::empty();
    if settings.roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for root in &settings.roots {
        roots.add(root.clone()).map_err(|error| {
            let message = format!("a root certificate cannot be used: {error}");
            Error::config(message).caused_by(error)
        })?;
    }
    let versions: Vec<_> = settings
        .protocols
        .iter()
        .map(|protocol| version(*protocol))
        .collect();
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(config_error)?
        .with_root_certificates(roots);
    let mut config = config.with_client_cert_resolver(resolver);
    config.alpn_protocols.clone_from(&settings.alpn);
    Ok(config)
}

fn version(protocol: Protocol) -> &'static SupportedProtocolVersion {
    match protocol {
        Protocol::Tls12 => &::rustls::version::TLS12,
        Protocol::Tls13 => &::rustls::version::TLS13,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R1.
    #[test]
    fn the_domain_depends_on_suites_groups_and_instance() {
        let settings = Settings::default();
        let domain = |provider: &CryptoProvider| {
            offers(domain::builder(&settings, "rustls"), provider).finish()
        };
        let all = ::rustls::crypto::aws_lc_rs::default_provider();
        let mut fewer_suites = all.clone();
        fewer_suites.cipher_suites.pop();
        let mut other_groups = all.clone();
        other_groups.kx_groups.reverse();
        assert_eq!(domain(&all), domain(&all.clone()));
        assert_ne!(domain(&all), domain(&fewer_suites));
        assert_ne!(domain(&all), domain(&other_groups));
        assert_ne!(domain_of(&settings, &all), domain_of(&settings, &all));
    }
}
