use std::collections::{BTreeMap, HashSet};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use store_core::{Duplicate, Encoded, Entry, EntryId, SystemClock, Timestamp, Usage};

use super::*;
use crate::{Sealed, ServerId, Taken, TierError};

const LONG: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(20);

/// A session that is only a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Numbered(u64);

impl Duplicate for Numbered {
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
        idle: LONG,
        patience: SOON,
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

#[test]
fn the_newest_stays_and_the_others_are_shared() {
    let place = Place::default();
    let one = store(&place, quick());
    for number in 0..3 {
        put(&one, "a", Usage::SingleUse, number);
    }
    until(|| place.held() == 2);
    assert_eq!(
        one.memory().ready(&key("a"), SystemClock.now()).single_use,
        1
    );
    assert_eq!(offered(&one, "a"), Some(2), "the newest, from memory");

    let other = store(&place, quick());
    assert!(other.prefetch(&key("a"), LONG));
    assert_eq!(place.held(), 1, "taken from the tier");
    assert!(offered(&other, "a").is_some_and(|number| number < 2));
    assert_eq!(offered(&other, "a"), None);
}

#[test]
fn what_lies_idle_is_shared_too() {
    let place = Place::default();
    let settings = SharedSettings {
        idle: SOON,
        ..quick()
    };
    let one = store(&place, settings);
    put(&one, "a", Usage::SingleUse, 1);
    until(|| place.held() == 1);
    assert_eq!(offered(&one, "a"), None);
    // Fetched for a connection that does not come, it goes back.
    assert!(one.prefetch(&key("a"), LONG));
    until(|| place.held() == 1);
}

#[test]
fn a_reusable_session_is_in_both_places() {
    let place = Place::default();
    let one = store(&place, quick());
    put(&one, "a", Usage::Reusable, 1);
    until(|| place.see(|kept| kept.reusable.len() == 1));
    assert_eq!(offered(&one, "a"), Some(1));
    let other = store(&place, quick());
    for _ in 0..2 {
        assert!(other.prefetch(&key("a"), LONG));
        assert_eq!(offered(&other, "a"), Some(1));
    }
    assert_eq!(
        other.tier_stats().fetched,
        1,
        "once there, it is not fetched again"
    );
}

#[test]
fn a_miss_fetches_for_the_next_connection() {
    let place = Place::default();
    put(&store(&place, quick()), "a", Usage::SingleUse, 1);
    let one = store(&place, quick());
    assert_eq!(offered(&one, "a"), None);
    until(|| one.tier_stats().fetched == 1);
    assert_eq!(offered(&one, "a"), Some(1));
}

#[test]
fn connections_that_begin_together_have_one_fetched_each() {
    let place = Place::default();
    let one = store(&place, quick());
    for number in 0..16 {
        put(&one, "a", Usage::SingleUse, number);
    }
    drop(one);
    assert_eq!(place.held(), 16, "dropping a store writes what it holds");
    let one = store(&place, quick());
    let fetches: Vec<Fetch> = (0..16).map(|_| one.fetch(&key("a"))).collect();
    for fetch in fetches {
        fetch.wait(LONG);
    }
    let numbers: HashSet<u64> = (0..16).filter_map(|_| offered(&one, "a")).collect();
    assert_eq!(numbers.len(), 16);
}

/// R20: who waits for a tier that hangs waits once, and all others not at all.
#[test]
fn a_tier_that_hangs_stalls_its_worker_only() {
    let place = Place::default();
    let one = store(
        &place,
        SharedSettings {
            farewell: SOON,
            ..quick()
        },
    );
    place.set(|kept| kept.hangs = true);
    assert!(!one.prefetch(&key("a"), SOON));
    place.wait_for_a_call();
    until(|| one.queue.is_stalled());
    let began = Instant::now();
    for n in 0..1_000 {
        // Had each waited, this would take a thousand minutes.
        assert!(!one.prefetch(&key(&format!("host-{n}")), LONG));
        put(&one, "b", Usage::SingleUse, n);
        assert!(offered(&one, "b").is_some());
    }
    assert!(began.elapsed() < LONG);
    assert!(!one.flush(SOON));
    place.set(|kept| kept.hangs = false);
    put(&one, "c", Usage::SingleUse, 0);
    assert!(one.flush(LONG), "it comes back by itself");
    place.set(|kept| kept.hangs = true);
    drop(one);
    place.set(|kept| kept.hangs = false);
}

#[test]
fn what_certainly_was_not_written_stays_in_memory() {
    let place = Place::default();
    let one = store(&place, quick());
    place.set(|kept| kept.fails = Some(TierError::NotDone("down".into())));
    for number in 0..3 {
        put(&one, "a", Usage::SingleUse, number);
    }
    until(|| one.tier_stats().failures > 0);
    assert!(!one.flush(LONG));
    let ready = || one.memory().ready(&key("a"), SystemClock.now()).single_use;
    until(|| ready() == 3);
    // It is tried again by itself, and works.
    place.set(|kept| kept.fails = None);
    until(|| place.held() == 2);
    assert!(one.flush(LONG));
    assert_eq!((ready(), place.held()), (0, 3));
}

/// R7: what may be in the tier is nowhere else.
#[test]
fn what_may_have_been_written_is_given_up() {
    for works_all_the_same in [false, true] {
        let place = Place::default();
        let one = store(&place, quick());
        put(&one, "a", Usage::SingleUse, 1);
        place.set(|kept| {
            kept.fails = Some(TierError::Unknown("cut".into()));
            kept.works_all_the_same = works_all_the_same;
        });
        assert!(!one.flush(LONG));
        assert_eq!(one.tier_stats().lost, 1);
        assert_eq!(offered(&one, "a"), None);
        place.set(|kept| kept.fails = None);
        until(|| !one.tier_stats().resting);
        assert_eq!(one.prefetch(&key("a"), LONG), works_all_the_same);
    }
}

/// R4: what a connection stored is revoked wherever it is.
#[test]
fn what_is_revoked_does_not_come_back() {
    let place = Place::default();
    let one = store(&place, quick());
    let id = put(&one, "a", Usage::SingleUse, 1);
    put(&one, "a", Usage::SingleUse, 2);
    put(&one, "b", Usage::SingleUse, 3);
    assert!(one.flush(LONG));
    assert_eq!(place.held(), 3);
    assert!(!one.memory().remove(&key("a"), id), "it is not in memory");
    assert!(!one.prefetch(&key("a"), LONG));
    assert!(one.prefetch(&key("b"), LONG));
}

/// R22: at once, whatever the tier does.
#[test]
fn what_is_cleared_does_not_come_back_though_the_tier_cannot_be_told() {
    let place = Place::default();
    let one = store(&place, quick());
    put(&one, "a", Usage::SingleUse, 1);
    put(&one, "b", Usage::SingleUse, 2);
    assert!(one.flush(LONG));
    place.set(|kept| kept.fails = Some(TierError::NotDone("down".into())));
    one.memory().clear_server(&key("a"));
    until(|| one.tier_stats().resting);
    one.memory().clear();
    place.set(|kept| kept.fails = None);
    until(|| !one.tier_stats().resting);
    assert!(!one.prefetch(&key("a"), LONG));
    assert!(!one.prefetch(&key("b"), LONG));
    assert_eq!(place.held(), 0);
}

/// A session that is on its way when its server is cleared does not arrive.
#[test]
fn what_is_cleared_on_its_way_does_not_arrive() {
    let place = Place::default();
    let one = store(&place, quick());
    put(&one, "a", Usage::SingleUse, 1);
    assert!(one.flush(LONG));
    place.set(|kept| {
        kept.calls = 0;
        kept.hangs = true;
    });
    let fetch = one.fetch(&key("a"));
    place.wait_for_a_call();
    one.memory().clear_server(&key("a"));
    place.set(|kept| kept.hangs = false);
    fetch.wait(LONG);
    assert!(one.flush(LONG));
    assert_eq!(offered(&one, "a"), None);
    assert_eq!(place.held(), 0);
}

/// R23: dropped, counted, and the next one is tried.
#[test]
fn a_changed_record_is_dropped_and_the_next_one_tried() {
    let place = Place::default();
    let one = store(&place, quick());
    for number in 0..3 {
        put(&one, "a", Usage::SingleUse, number);
    }
    assert!(one.flush(LONG));
    place.set(|kept| {
        let records = kept.single_use.values_mut().next().unwrap();
        let tampered = &mut records[2].bytes;
        *tampered.last_mut().unwrap() ^= 1;
        records[1].bytes = b"of another program".to_vec();
    });
    assert!(one.prefetch(&key("a"), LONG));
    assert_eq!(offered(&one, "a"), Some(0));
    let stats = one.tier_stats();
    assert_eq!((stats.rejected_tampered, stats.rejected_foreign), (1, 1));
    assert_eq!(stats.rejected(), 2);
}

#[test]
fn too_much_waiting_is_counted_and_stays_in_memory() {
    let place = Place::default();
    place.set(|kept| kept.hangs = true);
    let settings = SharedSettings {
        queue: 2,
        farewell: SOON,
        ..quick()
    };
    let one = store(&place, settings);
    one.fetch(&key("x")).wait(SOON);
    place.wait_for_a_call();
    for n in 0..5_u64 {
        put(&one, &format!("host-{n}"), Usage::SingleUse, n);
    }
    assert_eq!(one.tier_stats().dropped, 3);
    for n in 0..5_u64 {
        assert_eq!(offered(&one, &format!("host-{n}")), Some(n));
    }
    place.set(|kept| kept.hangs = false);
}

#[test]
fn a_process_that_starts_loads_its_own_domain_only() {
    let place = Place::default();
    let one = store(&place, quick());
    for number in 0..4_u64 {
        put(&one, &format!("host-{number}"), Usage::SingleUse, number);
    }
    drop(one);
    let one = store(&place, quick());
    assert!(one.load(&SecurityDomain::from([8; 32]), 10, LONG));
    assert_eq!((one.memory().stats().sessions, place.held()), (0, 4));
    assert!(one.load(&domain(), 3, LONG));
    assert_eq!((one.memory().stats().sessions, place.held()), (3, 1));
}

/// R9: a session that comes back is older than it looks, and goes with one that failed.
#[test]
fn a_failed_handshake_revokes_what_comes_back() {
    for in_flight in [false, true] {
        let place = Place::default();
        let one = store(&place, quick());
        for number in 1..=3 {
            put(&one, "a", Usage::SingleUse, number);
        }
        until(|| place.held() == 2);
        let offer = one.memory().offer(&key("a"), SystemClock.now()).unwrap();
        place.set(|kept| {
            kept.calls = 0;
            kept.hangs = in_flight;
        });
        let fetch = one.fetch(&key("a"));
        place.wait_for_a_call();
        if !in_flight {
            until(|| one.tier_stats().fetched == 1);
        }
        one.memory().remove_up_to(&key("a"), offer.id);
        place.set(|kept| kept.hangs = false);
        fetch.wait(LONG);
        assert!(one.flush(LONG));
        assert_eq!((offered(&one, "a"), place.held()), (None, 0));
    }
}

/// R4: not by way of another process either, which had it in its memory.
#[test]
fn what_is_revoked_does_not_come_back_by_another_process() {
    let place = Place::default();
    let (one, other) = (store(&place, quick()), store(&place, quick()));
    put(&one, "a", Usage::SingleUse, 1);
    put(&one, "a", Usage::SingleUse, 2);
    until(|| place.held() == 1);
    assert!(other.prefetch(&key("a"), LONG));
    one.memory().clear_server(&key("a"));
    assert!(one.flush(LONG));
    assert!(other.flush(LONG), "it brings back what it has");
    assert_eq!(place.held(), 1);
    assert!(!one.prefetch(&key("a"), LONG));
    assert_eq!(one.tier_stats().rejected_expired, 1);
    // What comes from a full handshake since is good.
    thread::sleep(Duration::from_millis(2));
    put(&other, "a", Usage::SingleUse, 3);
    assert!(other.flush(LONG));
    thread::sleep(Duration::from_millis(60)); // it was asked in vain just now
    assert!(one.prefetch(&key("a"), LONG));
}

/// What a connection counts on is not shared meanwhile, neither for lying idle nor as surplus.
#[test]
fn what_is_expected_stays() {
    let place = Place::default();
    let settings = SharedSettings {
        idle: SOON,
        ..quick()
    };
    let one = store(&place, settings);
    let fetch = one.fetch(&key("a"));
    put(&one, "a", Usage::SingleUse, 1);
    put(&one, "b", Usage::SingleUse, 2);
    until(|| place.held() == 1);
    assert_eq!(
        one.memory().ready(&key("a"), SystemClock.now()).single_use,
        1
    );
    drop(fetch);
    until(|| place.held() == 2);

    let fetches = [(); 3].map(|()| one.fetch(&key("c")));
    for number in 0..4 {
        put(&one, "c", Usage::SingleUse, number);
    }
    until(|| place.held() == 3);
    for fetch in fetches {
        fetch.wait(LONG);
        assert!(offered(&one, "c").is_some());
    }
}

/// A connection that asks again, because the answer is late, has one session fetched.
#[test]
fn asking_again_fetches_no_more() {
    let place = Place::default();
    let one = store(&place, quick());
    for number in 0..9 {
        put(&one, "a", Usage::SingleUse, number);
    }
    assert!(one.flush(LONG));
    place.set(|kept| {
        kept.calls = 0;
        kept.hangs = true;
    });
    one.fetch(&key("a")).wait(Duration::ZERO);
    place.wait_for_a_call();
    let again = one.fetch(&key("a"));
    let also = [(); 20].map(|()| one.fetch(&key("b")));
    drop(also);
    place.set(|kept| kept.hangs = false);
    again.wait(LONG);
    until(|| one.tier_stats().missed == 1);
    assert_eq!((one.tier_stats().fetched, place.held()), (1, 8));
}

/// A tier that takes nothing and still gives is asked for sessions, and less and less often to
/// take some.
#[test]
fn a_tier_that_is_full_still_gives() {
    struct Full(Place);
    impl Tier for Full {
        fn put(&mut self, _: &[Sealed], _: Timestamp) -> Result<(), TierError> {
            Err(TierError::NotDone("out of memory".into()))
        }
        fn take(&mut self, id: &ServerId, most: usize, now: Timestamp) -> Result<Taken, TierError> {
            self.0.take(id, most, now)
        }
        fn remove(&mut self, id: &ServerId) -> Result<(), TierError> {
            self.0.remove(id)
        }
        fn clear(&mut self) -> Result<(), TierError> {
            self.0.clear()
        }
    }
    let place = Place::default();
    put(&store(&place, quick()), "a", Usage::SingleUse, 1);
    let (tier, clock) = (Box::new(Full(place.clone())), Arc::new(SystemClock));
    let one = SharedStore::new(Limits::default(), tier, ring(), quick(), clock).unwrap();
    for n in 0..3 {
        put(&one, "b", Usage::Reusable, n);
    }
    until(|| one.tier_stats().failures > 2);
    assert!(!one.tier_stats().resting);
    assert!(one.prefetch(&key("a"), LONG));
    assert_eq!(offered(&one, "a"), Some(1));
}

/// A tier that panics ends its worker; nobody waits for it, and it shows.
#[test]
fn a_tier_that_panics_is_seen() {
    struct Panics;
    impl Tier for Panics {
        fn put(&mut self, _: &[Sealed], _: Timestamp) -> Result<(), TierError> {
            Ok(())
        }
        fn take(&mut self, _: &ServerId, _: usize, _: Timestamp) -> Result<Taken, TierError> {
            // Unwinds as a panic does, without a message on the terminal.
            std::panic::resume_unwind(Box::new("the test demands it"))
        }
        fn remove(&mut self, _: &ServerId) -> Result<(), TierError> {
            Ok(())
        }
        fn clear(&mut self) -> Result<(), TierError> {
            Ok(())
        }
    }
    let clock = Arc::new(SystemClock);
    let limits = Limits::default();
    let one = SharedStore::new(limits, Box::new(Panics), ring(), quick(), clock).unwrap();
    let began = Instant::now();
    assert!(!one.prefetch(&key("a"), LONG));
    until(|| one.tier_stats().stopped);
    assert!(!one.prefetch(&key("a"), LONG) && !one.flush(LONG));
    assert!(began.elapsed() < LONG);
    put(&one, "a", Usage::SingleUse, 1);
    assert_eq!(offered(&one, "a"), Some(1), "memory works on");
}

/// Keys change on one machine after the other: what only some can open is left for them.
#[test]
fn what_others_have_the_key_of_is_left_for_them() {
    let place = Place::default();
    let clock = Arc::new(SystemClock);
    let newer = ring().with_new_key().unwrap().with_last_key_first();
    let (tier, limits) = (Box::new(place.clone()), Limits::default());
    let new = SharedStore::new(limits, tier, newer, quick(), clock).unwrap();
    let old = store(&place, quick());
    put(&old, "a", Usage::SingleUse, 0);
    assert!(old.flush(LONG));
    for number in 1..=5 {
        put(&new, "a", Usage::SingleUse, number);
    }
    assert!(new.flush(LONG));
    assert!(old.prefetch(&key("a"), LONG), "its own lies behind");
    assert_eq!(offered(&old, "a"), Some(0));
    assert_eq!(old.tier_stats().rejected_unknown_key, 5);
    assert_eq!(place.held(), 5);
    assert!(!old.load(&domain(), 9, LONG) || place.held() == 5);
    assert!(new.prefetch(&key("a"), LONG));
}

/// R13: not from a clock that is far ahead.
#[test]
fn a_session_from_the_future_is_not_used() {
    for (ahead, comes) in [(10, true), (3_600, false)] {
        let place = Place::default();
        let clock = SystemClock.now().after(Duration::from_secs(ahead));
        let clock = Arc::new(store_core::ManualClock::new(clock));
        let (tier, limits) = (Box::new(place.clone()), Limits::default());
        let other = SharedStore::new(limits, tier, ring(), quick(), clock).unwrap();
        put(&other, "a", Usage::SingleUse, 1);
        assert!(other.flush(LONG));
        assert_eq!(store(&place, quick()).prefetch(&key("a"), LONG), comes);
    }
}

/// A client that keeps nothing takes nothing from others.
#[test]
fn a_client_without_room_leaves_what_is_there() {
    let place = Place::default();
    put(&store(&place, quick()), "a", Usage::SingleUse, 1);
    let (tier, clock) = (Box::new(place.clone()), Arc::new(SystemClock));
    let off = SharedStore::<Numbered>::new(Limits::off(), tier, ring(), quick(), clock).unwrap();
    assert!(!off.prefetch(&key("a"), LONG));
    assert_eq!(place.held(), 1);
}

/// R7: many stores on one place, and no session is handed out twice.
#[test]
fn no_session_is_handed_out_twice() {
    const STORES: u64 = 4;
    const ROUNDS: u64 = 300;
    let place = Place::default();
    let taken = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for worker in 0..STORES {
            let (place, taken) = (place.clone(), &taken);
            scope.spawn(move || {
                let one = store(
                    &place,
                    SharedSettings {
                        idle: Duration::ZERO,
                        ..quick()
                    },
                );
                for round in 0..ROUNDS {
                    put(&one, "a", Usage::SingleUse, worker * ROUNDS + round);
                    let _ = one.prefetch(&key("a"), Duration::from_millis(1));
                    taken.lock().unwrap().extend(offered(&one, "a"));
                }
            });
        }
    });
    let taken = taken.into_inner().unwrap();
    let distinct: HashSet<u64> = taken.iter().copied().collect();
    assert_eq!(taken.len(), distinct.len());
    assert!(
        taken.len() as u64 > STORES * ROUNDS / 4,
        "most are used: {}",
        taken.len()
    );
}

#[cfg(feature = "tokio")]
#[test]
fn a_task_waits_without_blocking_its_thread() {
    let place = Place::default();
    put(&store(&place, quick()), "a", Usage::SingleUse, 1);
    let one = store(&place, quick());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    assert!(runtime.block_on(one.prefetch_async(&key("a"), LONG)));
    assert_eq!(offered(&one, "a"), Some(1));
    place.set(|kept| kept.hangs = true);
    assert!(!runtime.block_on(one.prefetch_async(&key("b"), SOON)));
    assert_eq!(offered(&one, "b"), None);
    place.set(|kept| kept.hangs = false);
}
