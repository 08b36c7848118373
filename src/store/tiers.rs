//! Opens the compiled-in tiers, and finds the default key file of the user.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use store_tiers::{KeyRing, Tier};

use crate::Error;
use crate::settings::Settings;

#[cfg(feature = "lmdb")]
pub(super) fn lmdb(dir: &Path, settings: &Settings) -> Result<Box<dyn Tier>, Error> {
    use store_tiers::lmdb::{LmdbSettings, LmdbTier};

    let limits = LmdbSettings::default()
        .with_bytes(settings.limits.total_bytes)
        .with_server_bytes(settings.limits.server_bytes)
        .with_records_per_server(settings.limits.sessions_per_server);
    let tier = LmdbTier::open(dir, limits).map_err(Error::config_from)?;
    Ok(Box::new(tier))
}

#[cfg(not(feature = "lmdb"))]
pub(super) fn lmdb(_: &Path, _: &Settings) -> Result<Box<dyn Tier>, Error> {
    Err(Error::config(
        "an lmdb: store needs tls-resume built with the feature lmdb",
    ))
}

#[cfg(feature = "redis")]
pub(super) fn redis(
    url: &str,
    keys: &KeyRing,
    settings: &Settings,
) -> Result<Box<dyn Tier>, Error> {
    use store_tiers::redis::{RedisSettings, RedisTier};

    // A namespace for each key ring: `clear` leaves the records of others in the same Redis.
    let redis = RedisSettings::default()
        .with_namespace(format!("tls-resume:{}", keys.tag()))
        .with_sessions_per_server(settings.limits.sessions_per_server);
    #[cfg(feature = "redis-tls")]
    let redis = if url.starts_with("rediss") || url.starts_with("valkeys") {
        redis.with_tls(tls(&settings.store.roots)?)
    } else {
        redis
    };
    let tier = RedisTier::new(url, &redis).map_err(Error::config_from)?;
    Ok(Box::new(tier))
}

#[cfg(not(feature = "redis"))]
pub(super) fn redis(_: &str, _: &KeyRing, _: &Settings) -> Result<Box<dyn Tier>, Error> {
    Err(Error::config(
        "a redis: store needs tls-resume built with the feature redis",
    ))
}

/// The TLS configuration for Redis, of rustls 0.23, whichever backend the connector has.
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
        roots.add(root.clone()).map_err(Error::config_from)?;
    }
    let config = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(Error::config_from)?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Ok(config.into())
}

/// The path of this user's key file; creates its directory.
pub(super) fn user_key_file() -> Result<PathBuf, Error> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = variable("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")));
    let Some(state) = state else {
        return Err(Error::config(
            "no default path for the keys of the store, since HOME is not set: name a file with \
             store_keys",
        ));
    };
    let folder = state.join("tls-resume");
    let created = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    created.map_err(|error| {
        let shown = folder.display();
        let message = format!("{shown}: cannot be created ({error}): name a file with store_keys");
        Error::config(message).caused_by(error)
    })?;
    Ok(folder.join("keys"))
}
