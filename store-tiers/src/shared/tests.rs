//! A shared store on a place in this process that fails and hangs when it is told to.

mod moving;
mod revoked;
mod trouble;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use store_core::{Encoded, Entry, EntryId, Storable, SystemClock, Timestamp, Usage};

use super::*;
use crate::{Sealed, ServerId, Taken, TierError};

const LONG: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(20);

/// A session that is only a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Numbered(u64);

impl Storable for Numbered {
    fn duplicate(&self) -> Option<Self> {
        Some(*self)
    }
}

impl Portable for Numbered {
    const FORMAT: u32 = 7;

    fn encode(&self) -> Option<Encoded> {
        Some(Encoded {
            facts: Vec::new(),
            session: self.0.to_be_bytes().to_vec().into(),
        })
    }

    fn decode(encoded: &Encoded, _: Usage) -> Option<(Self, usize)> {
        let bytes = encoded.session.as_slice().try_into().ok()?;
        Some((Self(u64::from_be_bytes(bytes)), 8))
    }
}

/// A tier in this process that can be told to fail and to hang. Clones are the same place.
#[derive(Clone, Default)]
struct Place(Arc<(Mutex<Kept>, Condvar)>);

#[derive(Default)]
struct Kept {
    single_use: BTreeMap<ServerId, Vec<Sealed>>,
    reusable: BTreeMap<ServerId, Sealed>,
    calls: usize,
    hangs: bool,
    fails: Option<TierError>,
    /// What it does although it says that it failed.
    works_all_the_same: bool,
}

impl Place {
    fn set(&self, set: impl FnOnce(&mut Kept)) {
        set(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn see<T>(&self, see: impl FnOnce(&Kept) -> T) -> T {
        see(&self.0.0.lock().unwrap())
    }

    fn held(&self) -> usize {
        self.see(|kept| kept.single_use.values().map(Vec::len).sum())
    }

    fn call<T: Default>(&self, call: impl FnOnce(&mut Kept) -> T) -> Result<T, TierError> {
        let (kept, changed) = &*self.0;
        let mut kept = kept.lock().unwrap();
        kept.calls += 1;
        changed.notify_all();
        let mut kept = changed.wait_while(kept, |kept| kept.hangs).unwrap();
        match kept.fails.clone() {
            Some(error) => {
                if kept.works_all_the_same {
                    call(&mut kept);
                }
                Err(error)
            }
            None => Ok(call(&mut kept)),
        }
    }

    fn wait_for_a_call(&self) {
        let (kept, changed) = &*self.0;
        let kept = kept.lock().unwrap();
        let none = |kept: &mut Kept| kept.calls == 0;
        drop(changed.wait_timeout_while(kept, LONG, none).unwrap());
    }
}

impl Tier for Place {
    fn put(&mut self, records: &[Sealed], _: Timestamp) -> Result<(), TierError> {
        self.call(|kept| {
            for record in records.iter().cloned() {
                match record.usage {
                    Usage::SingleUse => kept
                        .single_use
                        .entry(record.server)
                        .or_default()
                        .push(record),
                    Usage::Reusable => drop(kept.reusable.insert(record.server, record)),
                }
            }
        })
    }

    fn take(&mut self, server: &ServerId, most: usize, _: Timestamp) -> Result<Taken, TierError> {
        self.call(|kept| {
            let held = kept.single_use.entry(*server).or_default();
            let taken = held.split_off(held.len().saturating_sub(most));
            Taken {
                single_use: taken.into_iter().map(|record| record.bytes).collect(),
                reusable: kept.reusable.get(server).map(|record| record.bytes.clone()),
            }
        })
    }

    fn remove(&mut self, server: &ServerId) -> Result<(), TierError> {
        self.call(|kept| {
            kept.single_use.remove(server);
            kept.reusable.remove(server);
        })
    }

    fn clear(&mut self) -> Result<(), TierError> {
        self.call(|kept| {
            kept.single_use.clear();
            kept.reusable.clear();
        })
    }

    fn load(&mut self, most: usize, _: Timestamp) -> Result<Vec<Sealed>, TierError> {
        self.call(|kept| {
            let all = kept.single_use.values_mut().flat_map(std::mem::take);
            all.take(most).collect()
        })
    }
}

fn ring() -> KeyRing {
    KeyRing::new([1; 32], [(1, [2; 32])]).unwrap()
}

fn quick() -> SharedSettings {
    SharedSettings {
        idle_timeout: LONG,
        stall_timeout: SOON,
        ..SharedSettings::default()
    }
}

fn store(place: &Place, settings: SharedSettings) -> SharedStore<Numbered> {
    let clock = Arc::new(SystemClock);
    let tier = Box::new(place.clone());
    SharedStore::new(Limits::default(), tier, ring(), settings, clock).unwrap()
}

fn domain() -> SecurityDomain {
    SecurityDomain::from([9; 32])
}

fn key(host: &str) -> SessionKey {
    KeyRef::new(&domain(), host).to_key()
}

fn put(store: &SharedStore<Numbered>, host: &str, usage: Usage, number: u64) -> EntryId {
    let (memory, now) = (store.memory(), store.clock().now());
    let lifetime = Some(Duration::from_secs(3_600));
    let entry = Entry::new(Numbered(number), usage, lifetime, 8, now);
    memory
        .put(&key(host), entry, memory.generation(), now)
        .unwrap()
}

fn offered(store: &SharedStore<Numbered>, host: &str) -> Option<u64> {
    let offer = store.memory().offer(&key(host), store.clock().now())?;
    Some(offer.entry.session.0)
}

/// Waits until it is so; a test that waits in vain fails.
fn until(so: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !so() {
        assert!(Instant::now() < end, "it never came to be so");
        thread::sleep(Duration::from_millis(1));
    }
}
