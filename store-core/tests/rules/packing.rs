//! R16: older sessions are packed, and shared parts are counted once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use store_core::{Entry, EntryId, Limits, Refused, SessionStore, SharedPart, Storable, Usage};

use crate::helpers::*;

/// A session of 1,000 bytes, 100 when it is packed.
#[derive(Clone)]
struct Packs {
    number: u64,
    packed: bool,
    unpackings: Arc<AtomicU64>,
}

impl Storable for Packs {
    const PACKS: bool = true;

    fn duplicate(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn packed(&self) -> Option<(Self, usize)> {
        let packed = Self {
            packed: true,
            ..self.clone()
        };
        (!self.packed).then_some((packed, 100))
    }

    fn unpacked(&self) -> Option<(Self, usize)> {
        let unpacked = Self {
            packed: false,
            ..self.clone()
        };
        self.packed.then(|| {
            self.unpackings.fetch_add(1, Ordering::SeqCst);
            (unpacked, 1_000)
        })
    }
}

fn put_one(store: &SessionStore<Packs>, host: &str, usage: Usage, number: u64) -> Arc<AtomicU64> {
    let unpackings = Arc::default();
    let session = Packs {
        number,
        packed: false,
        unpackings: Arc::clone(&unpackings),
    };
    let entry = Entry::new(session, usage, None, 1_000, start());
    put(store, &key(host), entry, start()).expect("stored");
    unpackings
}

fn packs(unpacked: usize) -> SessionStore<Packs> {
    let limits = Limits::default().with_servers(100);
    store(limits.with_unpacked_sessions(unpacked))
}

/// Takes a server's tickets: their numbers, and whether they are packed.
fn taken(store: &SessionStore<Packs>, host: &str) -> Vec<(u64, bool)> {
    let take = || store.offer(&key(host), Want::SingleUse, start(), |_| true);
    let taken = std::iter::from_fn(take);
    let session = |session: Packs| (session.number, session.packed);
    taken.map(|offer| session(offer.entry.session)).collect()
}

#[test]
fn the_newest_sessions_stay_unpacked() {
    let store = packs(5);
    for number in 0..8 {
        put_one(&store, "a", SingleUse, number);
    }
    put_one(&store, "b", SingleUse, 8);
    let young = [7, 6, 5, 4].map(|number| (number, false));
    let old = [3, 2, 1, 0].map(|number| (number, true));
    assert_eq!(taken(&store, "a"), [young, old].concat());
    assert_eq!(taken(&store, "b"), [(8, false)]);
}

#[test]
fn with_zero_unpacked_sessions_each_is_packed_when_stored() {
    let (store, other) = (packs(0), packs(1));
    for store in [&store, &other] {
        put_one(store, "a", SingleUse, 1);
    }
    assert_eq!(other.stats().bytes - store.stats().bytes, 900);
    assert_eq!(store.stats().sessions, 1);
    assert_eq!(taken(&store, "a"), [(1, true)]);
}

#[test]
fn a_reusable_session_that_is_looked_up_is_unpacked_once() {
    let store = packs(4);
    let unpackings = put_one(&store, "hot", Reusable, 1);
    for number in 0..5 {
        put_one(&store, "other", SingleUse, number);
    }
    let before = store.stats().bytes;
    for _ in 0..3 {
        let offer = store
            .offer(&key("hot"), Want::Any, start(), |_| true)
            .expect("it stays");
        assert!(!offer.entry.session.packed);
    }
    assert_eq!(unpackings.load(Ordering::SeqCst), 1);
    assert_eq!(store.stats().bytes, before + 900);
    assert_eq!(store.stats().sessions, 6);
}

/// A session with a shared part of 1,000 bytes, whose id it is.
struct Shares(usize);

impl Storable for Shares {
    fn duplicate(&self) -> Option<Self> {
        None
    }

    fn shared_part(&self) -> Option<SharedPart> {
        Some(SharedPart {
            id: self.0,
            bytes: 1_000,
        })
    }
}

fn put_sharing(store: &SessionStore<Shares>, id: usize) -> Result<EntryId, Refused> {
    let entry = Entry::new(Shares(id), SingleUse, None, 100, start());
    put(store, &key("a"), entry, start())
}

#[test]
fn a_shared_part_counts_once_while_a_session_has_it() {
    let store = store::<Shares>(Limits::default().with_servers(100));
    let ids = [1, 1, 2, 2].map(|id| put_sharing(&store, id).expect("stored"));
    let bytes = || store.stats().bytes;
    let all = bytes();
    for (id, fewer) in ids.into_iter().zip([100, 1_200, 1_300]) {
        assert!(store.remove(&key("a"), id));
        assert_eq!(all - bytes(), fewer);
    }
    put_sharing(&store, 2).expect("stored");
    assert_eq!(all - bytes(), 1_200);
}

/// R16.
#[test]
fn a_shared_part_counts_towards_every_bound() {
    let limits = Limits::default().with_servers(100);
    let too_small = store::<Shares>(limits.clone().with_bytes(1_099, 10_000, 1 << 20));
    assert_eq!(put_sharing(&too_small, 1), Err(Refused::TooLarge));
    let store = store::<Shares>(limits.with_bytes(1_100, 1_300, 1 << 20));
    for _ in 0..4 {
        put_sharing(&store, 1).expect("stored");
    }
    assert_eq!((store.stats().sessions, store.stats().evicted), (3, 1));
    put_sharing(&store, 2).expect("stored");
    assert_eq!(store.stats().sessions, 1);
}

/// R16: sessions of many servers are packed, but for those of the servers in use.
#[test]
fn sessions_of_many_servers_are_packed() {
    let store = store(Limits::default());
    let (mut packed, mut all) = (0, 0);
    for server in 0..250 {
        let host = format!("s{server}");
        let missed = store.offer(&key(&host), Want::Any, start(), |_: &Packs| true);
        assert!(missed.is_none());
        for number in 0..2 {
            put_one(&store, &host, SingleUse, number);
        }
    }
    for server in 0..250 {
        let sessions = taken(&store, &format!("s{server}"));
        all += sessions.len();
        packed += sessions.iter().filter(|(_, packed)| *packed).count();
    }
    assert_eq!(all, 500);
    // Each of the 32 shards keeps four or so.
    assert!(packed > 300, "{packed}");
}
