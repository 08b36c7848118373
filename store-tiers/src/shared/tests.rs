//! A shared store over a fake tier that can fail and hang.

mod failures;
mod moving;
mod revoked;
mod standings;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use store_core::{Encoded, Entry, EntryId, Storable, SystemClock, Timestamp, Usage, Want};

use super::*;
use crate::{Sealed, ServerId, Taken, TierError};

const LONG: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(20);

/// A session that is a number.
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

/// A tier in memory that can fail and hang. Clones share their state.
#[derive(Clone, Default)]
struct FakeTier(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    single_use: BTreeMap<ServerId, Vec<Sealed>>,
    reusable: BTreeMap<ServerId, Sealed>,
    calls: usize,
    /// Whether calls block.
    hang: bool,
    /// What calls fail with.
    error: Option<TierError>,
    /// Whether a call that fails takes effect.
    applies_on_failure: bool,
    /// What puts and removals alone fail with.
    put_error: Option<TierError>,
    remove_error: Option<TierError>,
    /// How long puts and takes last.
    delay: Duration,
}

impl FakeTier {
    fn set(&self, set: impl FnOnce(&mut State)) {
        set(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.0.0.lock().unwrap())
    }

    fn single_use(&self) -> usize {
        self.read(|state| state.single_use.values().map(Vec::len).sum())
    }

    fn call<T: Default>(&self, call: impl FnOnce(&mut State) -> T) -> Result<T, TierError> {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.calls += 1;
        changed.notify_all();
        let mut state = changed.wait_while(state, |state| state.hang).unwrap();
        match state.error.clone() {
            Some(error) => {
                if state.applies_on_failure {
                    call(&mut state);
                }
                Err(error)
            }
            None => Ok(call(&mut state)),
        }
    }

    fn wait_for_call(&self) {
        let (state, changed) = &*self.0;
        let state = state.lock().unwrap();
        let none = |state: &mut State| state.calls == 0;
        drop(changed.wait_timeout_while(state, LONG, none).unwrap());
    }
}

impl Tier for FakeTier {
    fn put(&mut self, records: &[Sealed], _: Timestamp) -> Result<(), TierError> {
        thread::sleep(self.read(|state| state.delay));
        if let Some(error) = self.read(|state| state.put_error.clone()) {
            return Err(error);
        }
        self.call(|state| {
            for record in records.iter().cloned() {
                match record.usage {
                    Usage::SingleUse => state
                        .single_use
                        .entry(record.server)
                        .or_default()
                        .push(record),
                    Usage::Reusable => drop(state.reusable.insert(record.server, record)),
                }
            }
        })
    }

    fn take(&mut self, server: &ServerId, most: usize, _: Timestamp) -> Result<Taken, TierError> {
        thread::sleep(self.read(|state| state.delay));
        self.call(|state| {
            let records = state.single_use.entry(*server).or_default();
            let taken = records.split_off(records.len().saturating_sub(most));
            Taken {
                single_use: taken.into_iter().map(|record| record.bytes).collect(),
                reusable: state
                    .reusable
                    .get(server)
                    .map(|record| record.bytes.clone()),
            }
        })
    }

    fn remove(&mut self, server: &ServerId) -> Result<(), TierError> {
        if let Some(error) = self.read(|state| state.remove_error.clone()) {
            return Err(error);
        }
        self.call(|state| {
            state.single_use.remove(server);
            state.reusable.remove(server);
        })
    }

    fn clear(&mut self) -> Result<(), TierError> {
        self.call(|state| {
            state.single_use.clear();
            state.reusable.clear();
        })
    }

    fn load(&mut self, most: usize, _: Timestamp) -> Result<Vec<Sealed>, TierError> {
        self.call(|state| {
            let reusable = state.reusable.values().cloned().collect::<Vec<_>>();
            let single_use = state.single_use.values_mut().flat_map(std::mem::take);
            reusable.into_iter().chain(single_use).take(most).collect()
        })
    }
}

fn ring() -> KeyRing {
    KeyRing::new([1; 32], [(1, [2; 32])]).unwrap()
}

fn settings() -> SharedSettings {
    SharedSettings {
        idle_timeout: LONG,
        stall_timeout: SOON,
        ..SharedSettings::default()
    }
}

fn new_store(tier: &FakeTier, settings: SharedSettings) -> SharedStore<Numbered> {
    let clock = Arc::new(SystemClock);
    let tier = Box::new(tier.clone());
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
    let offer = store
        .memory()
        .offer(&key(host), Want::Any, store.clock().now(), |_| true)?;
    Some(offer.entry.session.0)
}

/// Waits until a condition holds.
fn eventually(condition: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "the condition never held");
        thread::sleep(Duration::from_millis(1));
    }
}
