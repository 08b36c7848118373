//! The context of a client, before a store is attached to it.

use lab::server::{Group, Protocol};
use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use pki_types::CertificateDer;

use crate::harness::scenario::{Groups, Scenario};

/// A context that trusts `root` and speaks the version and groups of `scenario`.
pub(super) fn builder(
    scenario: Scenario,
    root: &CertificateDer<'static>,
) -> Result<SslConnectorBuilder, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    let mut roots = X509StoreBuilder::new()?;
    roots.add_cert(X509::from_der(root)?)?;
    builder.set_cert_store(roots.build());
    let version = match scenario.protocol {
        Protocol::Tls12 => SslVersion::TLS1_2,
        Protocol::Tls13 => SslVersion::TLS1_3,
    };
    builder.set_min_proto_version(Some(version))?;
    builder.set_max_proto_version(Some(version))?;
    match scenario.groups {
        Groups::First(group) => offer_first(&mut builder, group, &[Group::P256])?,
        Groups::Default | Groups::DefaultTo(_) => {}
    }
    Ok(builder)
}

/// Offers `first` with a key share, and `others` by name.
fn offer_first(
    builder: &mut SslConnectorBuilder,
    first: Group,
    others: &[Group],
) -> Result<(), ErrorStack> {
    let others = others.iter().filter(|other| **other != first);
    let names: Vec<_> = [&first]
        .into_iter()
        .chain(others)
        .copied()
        .map(Group::as_str)
        .collect();
    builder.set_groups_list(&names.join(":"))
}
