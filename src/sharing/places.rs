//! The places that are compiled in, and where their keys are if nobody says.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use store_tiers::{KeyRing, Tier};

use super::config;
#[cfg(any(feature = "lmdb", feature = "redis"))]
use super::of_config;
use crate::Error;
use crate::settings::Settings;

#[cfg(feature = "lmdb")]
pub(super) fn lmdb(dir: &Path, settings: &Settings) -> Result<Box<dyn Tier>, Error> {
    use store_tiers::lmdb::{LmdbSettings, LmdbTier};

    let bounds = LmdbSettings::default()
        .with_bytes(settings.limits.total_bytes)
        .with_server_bytes(settings.limits.server_bytes)
        .with_records_per_server(settings.limits.sessions_per_server);
    Ok(Box::new(LmdbTier::open(dir, bounds).map_err(of_config)?))
}

#[cfg(not(feature = "lmdb"))]
pub(super) fn lmdb(_: &Path, _: &Settings) -> Result<Box<dyn Tier>, Error> {
    Err(config(
        "an lmdb: store needs tls-resume built with the feature lmdb",
    ))
}

#[cfg(feature = "redis")]
pub(super) fn redis(
    url: &str,
    ring: &KeyRing,
    settings: &Settings,
) -> Result<Box<dyn Tier>, Error> {
    use store_tiers::redis::{RedisSettings, RedisTier};

    // Others with other keys may use the same Redis: `clear` is not for theirs.
    let bounds = RedisSettings::default()
        .with_namespace(format!("tls-resume:{}", ring.tag()))
        .with_sessions_per_server(settings.limits.sessions_per_server);
    #[cfg(feature = "redis-tls")]
    let bounds = if url.starts_with("rediss:") {
        bounds.with_tls(tls(&settings.place.roots)?)
    } else {
        bounds
    };
    Ok(Box::new(RedisTier::new(url, &bounds).map_err(of_config)?))
}

#[cfg(not(feature = "redis"))]
pub(super) fn redis(_: &str, _: &KeyRing, _: &Settings) -> Result<Box<dyn Tier>, Error> {
    Err(config(
        "a redis: store needs tls-resume built with the feature redis",
    ))
}

/// How Redis is reached over TLS: by rustls, whichever backend the sessions are of.
#[cfg(feature = "redis-tls")]
fn tls(
    own: &[pki_types::CertificateDer<'static>],
) -> Result<std::sync::Arc<rustls::ClientConfig>, Error> {
    use rustls::crypto::aws_lc_rs::default_provider;
    use rustls::{ClientConfig, RootCertStore};

    let mut roots = RootCertStore::empty();
    if own.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for root in own {
        roots.add(root.clone()).map_err(of_config)?;
    }
    let config = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(of_config)?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Ok(config.into())
}

/// The key file of this user, in a directory that exists then.
pub(super) fn keys() -> Result<PathBuf, Error> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = set("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(set("HOME")?).join(".local/state")));
    let Some(state) = state else {
        return Err(config(
            "no place for the keys of the store (HOME is not set): name a file with store_keys",
        ));
    };
    let folder = state.join("tls-resume");
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.map_err(|error| {
        let shown = folder.display();
        let message = format!("{shown}: cannot be made ({error}): name a file with store_keys");
        config(message).caused_by(error)
    })?;
    Ok(folder.join("keys"))
}
