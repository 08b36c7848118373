//! Application data beside stored sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use store_core::tier::TierAccess;
use store_core::{
    ApplicationData, Entry, EntryId, Generation, KeyRef, Limits, Outlook, SecurityDomain,
    SessionKey, SessionStore, StoreObserver, Usage,
};

use crate::helpers::*;

fn data(bytes: usize) -> ApplicationData {
    vec![7; bytes][..].try_into().expect("1 to 1,024 bytes")
}

/// A session of 100 bytes for an hour, with nothing beside it.
fn entry(usage: Usage, number: u64) -> Entry<Annotated> {
    let session = Annotated(number, None);
    Entry::new(session, usage, Some(secs(HOUR)), 100, start())
}

/// What is beside the session that is offered next.
fn beside(store: &SessionStore<Annotated>, key: &SessionKey) -> Option<usize> {
    let offer = store.offer(key, Want::Any, start(), |_| true);
    let offered = offer.expect("a session").entry;
    offered.session.1.map(|data| data.len())
}

#[test]
fn it_is_set_beside_the_sessions_named_and_no_others() {
    let (store, key, other) = (store(Limits::default().with_servers(4)), key("a"), key("b"));
    let put = |to, number| put(&store, to, entry(SingleUse, number), start()).expect("stored");
    let ids: Vec<EntryId> = (1..=3).map(|number| put(&key, number)).collect();
    put(&other, 4);
    let named = [ids[0], ids[2]];
    store.set_application_data(&key, named, Some(&data(9)), start());
    // Ids of another server are not there.
    store.set_application_data(&other, ids.clone(), Some(&data(9)), start());
    assert_eq!(beside(&store, &other), None);
    let all: Vec<_> = (0..3).map(|_| beside(&store, &key)).collect();
    assert_eq!(all, [Some(9), None, Some(9)]);
}

/// R16: it counts, and a session that it makes too large has none.
#[test]
fn it_counts_as_bytes_of_its_session() {
    let limits = Limits::default().with_bytes(1_000, 2_000, 1 << 20);
    let (store, key) = (store(limits), key("a"));
    let id = put(&store, &key, entry(Reusable, 1), start()).expect("stored");
    let before = store.stats().bytes;
    store.set_application_data(&key, [id], Some(&data(300)), start());
    let with = store.stats().bytes;
    assert!((before + 300..before + 400).contains(&with), "{with}");
    store.set_application_data(&key, [id], Some(&data(900)), start());
    assert_eq!(beside(&store, &key), None, "too large");
    assert_eq!(store.stats().bytes, before);

    let session = Annotated(2, None);
    let mut heavy = Entry::new(session, SingleUse, None, 500, start());
    heavy.set_application_data(Some(data(600)));
    assert!(put(&store, &key, heavy.clone(), start()).is_err());
    heavy.set_application_data(Some(data(300)));
    assert!(put(&store, &key, heavy, start()).is_ok());
    assert_eq!(beside(&store, &key), Some(300));
    store.set_application_data(&key, [id], None, start());
    assert_eq!(beside(&store, &key), None);
}

/// A server whose sessions exceed its bytes with it loses the oldest.
#[test]
fn it_evicts_what_it_leaves_no_room_for() {
    let limits = Limits::default().with_bytes(1_000, 1_000, 1 << 20);
    let (store, key) = (store(limits), key("a"));
    let put = |number| put(&store, &key, entry(SingleUse, number), start()).expect("stored");
    let ids: Vec<EntryId> = (1..=4).map(put).collect();
    store.set_application_data(&key, ids, Some(&data(300)), start());
    let take = || store.offer(&key, Want::SingleUse, start(), |_| true);
    let numbers = std::iter::from_fn(take).map(|offer| offer.entry.session.0);
    assert_eq!(numbers.collect::<Vec<_>>(), [4, 3]);
}

#[derive(Default)]
struct Rewritten(AtomicUsize);

impl StoreObserver for Rewritten {
    fn stored(&self, _: KeyRef<'_>, usage: Usage) {
        let reusable = usage == Reusable;
        self.0.fetch_add(usize::from(reusable), Ordering::SeqCst);
    }
    fn missed(&self, _: KeyRef<'_>) {}
    fn revoked(&self, _: KeyRef<'_>, _: Generation) {}
    fn domain_cleared(&self, _: &SecurityDomain, _: Generation) {}
    fn cleared(&self, _: Generation) {}
}

/// A tier has a copy of it. A single-use one that is still in memory has not been written.
#[test]
fn an_observer_is_told_to_write_a_reusable_session_again() {
    let rewritten = Arc::new(Rewritten::default());
    let observer = Arc::<Rewritten>::clone(&rewritten);
    let store = SessionStore::with_observer(Limits::default(), observer).expect("valid limits");
    let key = key("a");
    let ticket = put(&store, &key, entry(SingleUse, 1), start()).expect("stored");
    store.set_application_data(&key, [ticket], Some(&data(9)), start());
    assert_eq!(rewritten.0.load(Ordering::SeqCst), 0);
    let session = put(&store, &key, entry(Reusable, 2), start()).expect("stored");
    store.set_application_data(&key, [session], Some(&data(9)), start());
    assert_eq!(rewritten.0.load(Ordering::SeqCst), 2);
    let copy = store.reusable_copy(&key, start()).expect("a copy");
    assert_eq!(copy.session.1, Some(data(9)));
    let surplus = store.surplus(&key, 0, start());
    assert_eq!(surplus[0].session.1, Some(data(9)));
}

/// The outlook is what a look-up would find, and takes nothing.
#[test]
fn the_outlook_takes_nothing() {
    let (store, key) = (store(Limits::default()), key("a"));
    assert_eq!(store.outlook(&key, start()), Outlook::NoSession);
    put(&store, &key, entry(SingleUse, 1), start()).expect("stored");
    put(&store, &key, entry(Reusable, 2), start()).expect("stored");
    let before = store.stats();
    for _ in 0..3 {
        let outlook = store.outlook(&key, start());
        let available = store.available(&key, start());
        assert_eq!(outlook, Outlook::Offers(available));
        assert_eq!((available.single_use, available.reusable), (1, true));
    }
    assert_eq!(store.stats(), before);
    assert_eq!(store.outlook(&key, at(2 * HOUR)), Outlook::NoSession);
    let off = crate::helpers::store::<Numbered>(Limits::off());
    assert_eq!(off.outlook(&key, start()), Outlook::Off);
}
