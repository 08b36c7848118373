//! The OpenSSL context and the security domain of a client's setup.

use conformance::Setup;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    SslConnector, SslConnectorBuilder, SslMethod, SslSessionCacheMode, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use store_core::SecurityDomain;
use tls_resume::Protocol;

use super::fault::Fault;

/// The security domain of a client.
pub(crate) fn domain(setup: &Setup, fault: Fault) -> SecurityDomain {
    let start = SecurityDomain::builder("faulty");
    match fault {
        Fault::IgnoresSettings => start.finish(),
        Fault::ConcatenatesFields => start.field("alpn", &setup.alpn.concat()).finish(),
        _ => {
            let identity = setup.identity.iter();
            start
                .list("roots", &setup.roots)
                .list("identity", identity.flat_map(|identity| &identity.chain))
                .list("alpn", &setup.alpn)
                .list("protocols", setup.protocols.iter().map(ToString::to_string))
                .field("name", setup.domain.as_bytes())
                .finish()
        }
    }
}

/// The context of a client, without its callback.
pub(crate) fn builder(setup: &Setup, fault: Fault) -> Result<SslConnectorBuilder, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    let mut roots = X509StoreBuilder::new()?;
    for root in &setup.roots {
        roots.add_cert(X509::from_der(root)?)?;
    }
    builder.set_cert_store(roots.build());
    if fault == Fault::SkipsVerification {
        builder.set_verify(SslVerifyMode::NONE);
    }
    if let Some(identity) = &setup.identity {
        builder.set_certificate(X509::from_der(&identity.chain[0])?.as_ref())?;
        for issuer in &identity.chain[1..] {
            builder.add_extra_chain_cert(X509::from_der(issuer)?)?;
        }
        let key = PKey::private_key_from_der(identity.key.secret_der())?;
        builder.set_private_key(&key)?;
    }
    let version = |protocol: &Protocol| match protocol {
        Protocol::Tls12 => SslVersion::TLS1_2,
        Protocol::Tls13 => SslVersion::TLS1_3,
    };
    builder.set_min_proto_version(setup.protocols.first().map(version))?;
    builder.set_max_proto_version(setup.protocols.last().map(version))?;
    builder.set_session_cache_mode(
        SslSessionCacheMode::CLIENT
            | SslSessionCacheMode::NO_INTERNAL
            | SslSessionCacheMode::NO_AUTO_CLEAR,
    );
    Ok(builder)
}
