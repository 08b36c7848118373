//! The client's shared store, and the faults of its tier and keys, in a wrapper around a correct
//! tier.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use conformance::{Failure, Setup, Store};
use openssl::ssl::SslSession;
use redis::RedisResult;
use store_core::{Encoded, Portable, SessionKey, Timestamp, Usage};
use store_tiers::lmdb::{LmdbSettings, LmdbTier};
use store_tiers::redis::{RedisSettings, RedisTier};
use store_tiers::{
    KeyRing, Sealed, ServerId, SharedSettings, SharedStore, Taken, Tier, TierError, key_file,
};

use super::fault::Fault;
use super::state::StoredSession;

/// How long to wait for the tier: longer than it takes when it works.
const FETCH_TIMEOUT: Duration = Duration::from_secs(1);
/// More records than any server has.
const ALL: usize = 1_000;

impl Portable for StoredSession {
    const FORMAT: u32 = 0xfa17;

    fn encode(&self) -> Option<Encoded> {
        let Self::Encoded(der) = self else {
            return None;
        };
        Some(Encoded {
            facts: Vec::new(),
            session: der.clone().into(),
        })
    }

    fn decode(encoded: &Encoded, _: Usage) -> Option<(Self, usize)> {
        let der = encoded.session.to_vec();
        SslSession::from_der(&der).ok()?;
        let weight = der.len();
        Some((Self::Encoded(der), weight))
    }
}

/// Opens the shared store of a client's setup.
pub(crate) fn open(
    setup: &Setup,
    store: &Store,
    fault: Fault,
) -> Result<SharedStore<StoredSession>, String> {
    let ring = match fault {
        Fault::IgnoresKeyFile => KeyRing::new([1; 32], [(1, [2; 32])]).map_err(message)?,
        _ => key_file::read_or_create(&store.keys).map_err(message)?,
    };
    let inner: Box<dyn Tier> = match store.url.strip_prefix("lmdb:") {
        Some(dir) => Box::new(lmdb(Path::new(dir), fault)?),
        None => Box::new(RedisTier::new(&store.url, &RedisSettings::default()).map_err(message)?),
    };
    let tier = FaultyTier {
        inner,
        url: store.url.clone(),
        fault,
        ring: ring.clone(),
        taken: Vec::new(),
    };
    let (limits, clock) = (setup.limits.clone(), setup.clock.clone());
    let settings = SharedSettings::default();
    SharedStore::new(limits, Box::new(tier), ring, settings, clock).map_err(message)
}

fn lmdb(dir: &Path, fault: Fault) -> Result<LmdbTier, String> {
    let data_file = || -> Option<PathBuf> {
        let mut entries = fs::read_dir(dir).ok()?.flatten();
        entries.find_map(|entry| Some(entry.path().join("data.mdb")).filter(|file| file.exists()))
    };
    if fault == Fault::TierFailureIsAnError {
        // The magic number of an LMDB file.
        let magic = 0xbeef_c0de_u32.to_ne_bytes();
        let intact =
            |file: PathBuf| fs::read(file).is_ok_and(|data| data.get(16..20) == Some(&magic));
        if data_file().is_some_and(|file| !intact(file)) {
            return Err("the file is damaged".to_owned());
        }
    }
    let tier = LmdbTier::open(dir, LmdbSettings::default()).map_err(message)?;
    if fault == Fault::PublicFiles {
        let file = data_file().ok_or("no file was made")?;
        fs::set_permissions(file, Permissions::from_mode(0o644)).map_err(message)?;
    }
    Ok(tier)
}

/// Fetches a session for a connection.
pub(crate) fn fetch(
    shared_store: &SharedStore<StoredSession>,
    key: &SessionKey,
    fault: Fault,
) -> Result<(), Failure> {
    let found = shared_store.prefetch(key, FETCH_TIMEOUT);
    let stats = shared_store.tier_stats();
    if fault == Fault::TierFailureIsAnError && !found && stats.missed == 0 {
        return Err(Failure::Other("the tier does not answer".to_owned()));
    }
    if fault == Fault::TamperingIsAnError && stats.rejected() > 0 {
        return Err(Failure::Other("a record was tampered with".to_owned()));
    }
    Ok(())
}

/// A correct tier behind a wrapper that may have a fault.
struct FaultyTier {
    inner: Box<dyn Tier>,
    url: String,
    fault: Fault,
    ring: KeyRing,
    /// Records that were taken, and are still in the tier.
    taken: Vec<Sealed>,
}

impl FaultyTier {
    /// Copies of all single-use records of a server.
    fn copy(&mut self, server: &ServerId, now: Timestamp) -> Result<Vec<Sealed>, TierError> {
        let sealed = |bytes| Sealed {
            server: *server,
            usage: Usage::SingleUse,
            // The expiry is in the record, too.
            expires: now.after(Duration::from_secs(3_600)),
            bytes,
        };
        let found = self.inner.take(server, ALL, now)?.single_use;
        let found: Vec<Sealed> = found.into_iter().map(sealed).collect();
        self.inner.put(&found, now)?;
        Ok(found)
    }

    /// The record, followed by the server's name and the session in plaintext.
    fn with_plaintext(&self, record: &Sealed, now: Timestamp) -> Sealed {
        let mut shown = record.clone();
        if let Ok(plain) = self.ring.open(&record.bytes, &record.server, now) {
            shown.bytes.extend(plain.key.as_key().encode());
            shown.bytes.extend(plain.session.iter());
        }
        let copied = shown.bytes.len() - record.bytes.len();
        let copied = u32::try_from(copied).expect("a session of a few kilobytes");
        shown.bytes.extend(copied.to_be_bytes());
        shown
    }
}

fn without_plaintext(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(copied) = bytes.last_chunk::<4>() {
        let copied = u32::from_be_bytes(*copied) as usize + 4;
        bytes.truncate(bytes.len().saturating_sub(copied));
    }
    bytes
}

impl Tier for FaultyTier {
    fn put(&mut self, records: &[Sealed], now: Timestamp) -> Result<(), TierError> {
        if self.fault != Fault::StoresPlaintext {
            return self.inner.put(records, now);
        }
        let records = records.iter();
        let shown: Vec<_> = records
            .map(|record| self.with_plaintext(record, now))
            .collect();
        self.inner.put(&shown, now)
    }

    fn take(&mut self, server: &ServerId, most: usize, now: Timestamp) -> Result<Taken, TierError> {
        match self.fault {
            Fault::TakesCopies | Fault::RemovesTakenAtExit => {
                let mut found = self.copy(server, now)?;
                if self.fault == Fault::RemovesTakenAtExit {
                    let taken =
                        |record: &Sealed| self.taken.iter().any(|one| one.bytes == record.bytes);
                    found.retain(|record| !taken(record));
                }
                found.truncate(most);
                self.taken.extend(found.iter().cloned());
                let reusable = self.inner.take(server, 0, now)?.reusable;
                Ok(Taken {
                    single_use: found.into_iter().map(|record| record.bytes).collect(),
                    reusable,
                })
            }
            Fault::TakesOfEarlierRuns if self.url.starts_with("redis") => {
                let taken = take_of_all_runs(&self.url, server, most);
                Ok(Taken {
                    single_use: taken.map_err(|it| TierError::NotApplied(it.to_string()))?,
                    reusable: self.inner.take(server, 0, now)?.reusable,
                })
            }
            Fault::StoresPlaintext => {
                let taken = self.inner.take(server, most, now)?;
                let single_use = taken.single_use.into_iter();
                Ok(Taken {
                    single_use: single_use.map(without_plaintext).collect(),
                    reusable: taken.reusable.map(without_plaintext),
                })
            }
            _ => self.inner.take(server, most, now),
        }
    }

    fn remove(&mut self, server: &ServerId) -> Result<(), TierError> {
        match self.fault {
            Fault::ClearsMemoryOnly => Ok(()),
            _ => self.inner.remove(server),
        }
    }

    fn clear(&mut self) -> Result<(), TierError> {
        match self.fault {
            Fault::ClearsMemoryOnly => Ok(()),
            _ => self.inner.clear(),
        }
    }
}

impl Drop for FaultyTier {
    /// Removes the records that were taken. A process that is killed does not.
    fn drop(&mut self) {
        if self.fault != Fault::RemovesTakenAtExit {
            return;
        }
        let now = Timestamp::EPOCH;
        for record in &self.taken {
            let found = self.inner.take(&record.server, ALL, now);
            let found = found.unwrap_or_default().single_use.into_iter();
            let others = found.filter(|bytes| *bytes != record.bytes);
            let others: Vec<_> = others
                .map(|bytes| Sealed {
                    bytes,
                    ..record.clone()
                })
                .collect();
            let _ = self.inner.put(&others, now);
        }
    }
}

/// Takes single-use records of all runs of a Redis.
fn take_of_all_runs(url: &str, server: &ServerId, most: usize) -> RedisResult<Vec<Vec<u8>>> {
    let mut redis = redis::Client::open(url)?.get_connection()?;
    let digits = server.as_bytes().iter().map(|byte| format!("{byte:02x}"));
    let pattern = format!("*{{{}}}:once:*", digits.collect::<String>());
    let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query(&mut redis)?;
    let mut taken = Vec::new();
    for key in keys {
        let mut command = redis::cmd("ZPOPMAX");
        command.arg(key).arg(most - taken.len());
        let found: Vec<(Vec<u8>, f64)> = command.query(&mut redis)?;
        taken.extend(found.into_iter().map(|(record, _)| record));
    }
    Ok(taken)
}

fn message(error: impl std::fmt::Display) -> String {
    error.to_string()
}
