//! The context of OpenSSL for a connector's settings.

use ::openssl::error::ErrorStack;
use ::openssl::pkey::PKey;
use ::openssl::ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslVersion};
use ::openssl::x509::X509;
use ::openssl::x509::store::X509StoreBuilder;

use super::failure::reasons;
use crate::settings::Settings;
use crate::{ClientCredential, Error, NamedGroup, Protocol, named_group};

pub(super) fn configure(settings: &Settings) -> Result<SslConnectorBuilder, Error> {
    let mut builder = configure_trust(settings).map_err(|error| {
        let message = format!("a root certificate cannot be used: {}", reasons(&error));
        Error::config(message).caused_by(error)
    })?;
    if let Some(client) = &settings.client {
        configure_client_certificate(&mut builder, client).map_err(|error| {
            let message = format!("the client certificate cannot be used: {}", reasons(&error));
            Error::config(message).caused_by(error)
        })?;
    }
    let groups = groups_list(settings)?;
    let offered = configure_offers(&mut builder, settings, groups.as_deref());
    offered.map(|()| builder).map_err(|error| {
        let message = format!("OpenSSL rejects the settings: {}", reasons(&error));
        Error::config(message).caused_by(error)
    })
}

fn configure_trust(settings: &Settings) -> Result<SslConnectorBuilder, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    let mut roots = X509StoreBuilder::new()?;
    if settings.roots.is_empty() {
        for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
            roots.add_cert(X509::from_der(root)?)?;
        }
    }
    for root in &settings.roots {
        roots.add_cert(X509::from_der(root)?)?;
    }
    // Replaces the system's roots, which the crate has loaded.
    builder.set_cert_store(roots.build());
    Ok(builder)
}

fn configure_client_certificate(
    builder: &mut SslConnectorBuilder,
    client: &ClientCredential,
) -> Result<(), ErrorStack> {
    let mut chain = client.chain().iter();
    if let Some(certificate) = chain.next() {
        builder.set_certificate(X509::from_der(certificate)?.as_ref())?;
    }
    for intermediate in chain {
        builder.add_extra_chain_cert(X509::from_der(intermediate)?)?;
    }
    builder.set_private_key(PKey::private_key_from_der(client.key().secret_der())?.as_ref())?;
    builder.check_private_key()
}

fn configure_offers(
    builder: &mut SslConnectorBuilder,
    settings: &Settings,
    groups: Option<&str>,
) -> Result<(), ErrorStack> {
    if let Some(groups) = groups {
        builder.set_groups_list(groups)?;
    }
    if !settings.alpn.is_empty() {
        builder.set_alpn_protos(&alpn_wire(&settings.alpn))?;
    }
    // Loaded settings have at least one version, in ascending order.
    builder.set_min_proto_version(settings.protocols.first().map(|oldest| version(*oldest)))?;
    builder.set_max_proto_version(settings.protocols.last().map(|newest| version(*newest)))
}

/// The groups of the settings by their names in OpenSSL; `None` for OpenSSL's own.
fn groups_list(settings: &Settings) -> Result<Option<String>, Error> {
    if settings.groups.is_empty() {
        return Ok(None);
    }
    let mut known = settings.groups.clone();
    known.extend(NamedGroup::all_named());
    let names = backend_openssl::group_names(known.iter().map(|group| u16::from(*group)));
    let supported: Vec<_> = known
        .into_iter()
        .zip(&names)
        .filter_map(|(group, name)| Some((group, name.as_deref()?)))
        .collect();
    let names = named_group::select(&settings.groups, &supported)?;
    Ok(Some(names.join(":")))
}

/// Encodes the names, each with its length before it (RFC 7301, section 3.1). In loaded settings a
/// name has at most 255 bytes.
fn alpn_wire(protocols: &[Vec<u8>]) -> Vec<u8> {
    let with_length = |name: &Vec<u8>| {
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        std::iter::once(length)
            .chain(name.iter().copied())
            .collect::<Vec<u8>>()
    };
    protocols.iter().flat_map(with_length).collect()
}

fn version(protocol: Protocol) -> SslVersion {
    match protocol {
        Protocol::Tls12 => SslVersion::TLS1_2,
        Protocol::Tls13 => SslVersion::TLS1_3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpn_names_have_their_length_before_them() {
        assert_eq!(
            alpn_wire(&[b"h2".to_vec(), b"http/1.1".to_vec()]),
            b"\x02h2\x08http/1.1"
        );
    }
}
