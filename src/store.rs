//! Opens the store that the settings name: memory alone, or memory with a tier.

#[cfg(feature = "shared")]
mod tiers;

use std::fmt;
#[cfg(feature = "shared")]
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "shared")]
use store_core::{KeyRef, Portable};
use store_core::{SessionStore, Storable};
#[cfg(feature = "shared")]
use store_tiers::{Fetch, KeyRing, SharedSettings, SharedStore, Tier, key_file};

use crate::Error;
use crate::settings::Settings;

/// An open store.
#[allow(
    unreachable_pub,
    reason = "the sealed trait `Backend` has it with the feature `shared` only"
)]
pub struct Store<S> {
    pub(crate) memory: Arc<SessionStore<S>>,
    /// None: in memory alone.
    #[cfg(feature = "shared")]
    pub(crate) shared: Option<Shared<S>>,
}

impl<S> fmt::Debug for Store<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// A store with a tier.
#[cfg(feature = "shared")]
pub(crate) struct Shared<S> {
    pub(crate) store: SharedStore<S>,
    /// `SharedStore::fetch`, for code that does not know that `S` is [`Portable`].
    pub(crate) fetch: fn(&SharedStore<S>, KeyRef<'_>) -> Fetch,
}

/// A function that opens the store which the settings name.
pub(crate) type Open<S> = fn(&Settings) -> Result<Store<S>, Error>;

/// Opens a store in memory alone, whatever the settings name.
pub(crate) fn in_memory<S: Storable>(settings: &Settings) -> Result<Store<S>, Error> {
    Ok(Store {
        memory: Arc::new(SessionStore::new(settings.limits.clone())?),
        #[cfg(feature = "shared")]
        shared: None,
    })
}

/// Opens the store at the settings' URL.
#[cfg(feature = "shared")]
pub(crate) fn at_url<S: Portable>(settings: &Settings) -> Result<Store<S>, Error> {
    let url = &settings.store.url;
    let key_file = settings.store.keys.clone();
    match url.split_once(':') {
        Some(("memory", "")) => in_memory(settings),
        Some(("lmdb", dir)) if !dir.is_empty() => {
            let dir = Path::new(dir);
            let tier = tiers::lmdb(dir, settings)?;
            let keys = read_keys(&key_file.unwrap_or_else(|| dir.join("keys")))?;
            with_tier(settings, tier, keys)
        }
        Some((scheme, _)) if scheme.starts_with("redis") || scheme.starts_with("valkey") => {
            let keys = read_keys(&key_file.map_or_else(tiers::user_key_file, Ok)?)?;
            with_tier(settings, tiers::redis(url, &keys, settings)?, keys)
        }
        // Not shown: there may be a password in it.
        _ => Err(Error::config(
            "unknown kind of store: give memory:, lmdb:DIR, redis://HOST[:PORT], \
             redis-sentinel://HOST,HOST/NAME or redis-cluster://HOST,HOST",
        )),
    }
}

#[cfg(feature = "shared")]
fn with_tier<S: Portable>(
    settings: &Settings,
    tier: Box<dyn Tier>,
    keys: KeyRing,
) -> Result<Store<S>, Error> {
    let (limits, clock) = (settings.limits.clone(), Arc::clone(&settings.clock));
    let mut shared = SharedSettings::default();
    shared.stall_timeout = shared.stall_timeout.max(settings.store.timeout);
    let store = SharedStore::new(limits, tier, keys, shared, clock).map_err(Error::config_from)?;
    Ok(Store {
        memory: Arc::clone(store.memory()),
        shared: Some(Shared {
            store,
            fetch: |store, key| store.fetch(key),
        }),
    })
}

/// Reads the key file, or creates it.
#[cfg(feature = "shared")]
fn read_keys(path: &Path) -> Result<KeyRing, Error> {
    key_file::read_or_create(path).map_err(Error::config_from)
}
