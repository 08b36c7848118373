//! Keys, times and sessions for all tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use store_core::{
    ApplicationData, Entry, EntryId, KeyRef, Limits, Refused, SecurityDomain, Storable,
};
use store_core::{SessionKey, SessionStore, Timestamp, Usage};

pub(crate) use store_core::Usage::{Reusable, SingleUse};
pub(crate) use store_core::Want;

pub(crate) const HOUR: u64 = 3_600;
pub(crate) const DAY: u64 = 24 * HOUR;

/// A session that is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbered(pub(crate) u64);

impl Storable for Numbered {
    fn duplicate(&self) -> Option<Self> {
        Some(*self)
    }
}

/// A numbered session beside which an application keeps data.
#[derive(Clone, Debug)]
pub(crate) struct Annotated(pub(crate) u64, pub(crate) Option<ApplicationData>);

impl Storable for Annotated {
    fn duplicate(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn application_data(&self) -> Option<&ApplicationData> {
        self.1.as_ref()
    }

    fn set_application_data(&mut self, data: Option<ApplicationData>) {
        self.1 = data;
    }
}

/// A session that counts how many of its kind exist.
pub(crate) struct Tracked(Arc<AtomicUsize>);

impl Tracked {
    pub(crate) fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(alive))
    }
}

impl Storable for Tracked {
    fn duplicate(&self) -> Option<Self> {
        Some(Self::new(&self.0))
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The time at which the tests begin.
pub(crate) fn start() -> Timestamp {
    Timestamp::from_unix(secs(1_700_000_000))
}

/// Some seconds after the start.
pub(crate) fn at(seconds: u64) -> Timestamp {
    start().after(secs(seconds))
}

pub(crate) fn key(host: &str) -> SessionKey {
    KeyRef::new(&SecurityDomain::from([7; 32]), host).to_key()
}

pub(crate) fn keys(prefix: &str, count: usize) -> Vec<SessionKey> {
    let name = |n| key(&format!("{prefix}-{n}.example"));
    (0..count).map(name).collect()
}

/// A session of 100 bytes for an hour, from a full handshake at the start.
pub(crate) fn entry(usage: Usage, number: u64) -> Entry<Numbered> {
    lives(usage, number, HOUR, start())
}

/// A session of 100 bytes that lives `seconds` from `now` on.
pub(crate) fn lives(usage: Usage, number: u64, seconds: u64, now: Timestamp) -> Entry<Numbered> {
    Entry::new(Numbered(number), usage, Some(secs(seconds)), 100, now)
}

/// The same with `weight` bytes.
pub(crate) fn weighs(number: u64, weight: usize) -> Entry<Numbered> {
    Entry {
        weight,
        ..entry(SingleUse, number)
    }
}

pub(crate) fn store<S: Storable>(limits: Limits) -> SessionStore<S> {
    SessionStore::new(limits).expect("valid limits")
}

/// A store of one shard, so that its order of eviction is known.
pub(crate) fn small(servers: usize) -> SessionStore<Numbered> {
    assert!(servers < 1_024, "one shard");
    store(Limits::default().with_servers(servers))
}

/// Stores a session of a connection that began in the current generation.
pub(crate) fn put<S: Storable>(
    store: &SessionStore<S>,
    key: &SessionKey,
    entry: Entry<S>,
    now: Timestamp,
) -> Result<EntryId, Refused> {
    store.put(key, entry, store.generation(), now)
}

/// Looks up a session and returns its number.
pub(crate) fn offered(
    store: &SessionStore<Numbered>,
    key: &SessionKey,
    now: Timestamp,
) -> Option<u64> {
    store
        .offer(key, Want::Any, now, |_| true)
        .map(|offer| offer.entry.session.0)
}

/// Takes all single-use sessions of a server, in the order in which they are offered.
pub(crate) fn drain(store: &SessionStore<Numbered>, key: &SessionKey, now: Timestamp) -> Vec<u64> {
    let take = || {
        store
            .offer(key, Want::SingleUse, now, |_| true)
            .map(|offer| offer.entry.session.0)
    };
    std::iter::from_fn(take).collect()
}

/// Runs a test on a thread, and fails after a minute: a deadlock.
pub(crate) fn without_deadlock(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        test();
        // No receiver is left after the timeout.
        let _ = done.send(());
    });
    let ended = wait.recv_timeout(secs(60));
    assert_ne!(ended, Err(mpsc::RecvTimeoutError::Timeout), "deadlock");
    thread.join().expect("no panic");
}

/// Random numbers that are the same in every run (`SplitMix64`).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let index = self.below(from.len() as u64);
        &from[usize::try_from(index).expect("an index")]
    }
}
