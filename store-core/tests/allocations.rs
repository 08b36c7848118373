//! What the store allocates. A binary of its own, because it counts with a global allocator.

use std::time::Duration;

use allocation_counter::measure;
use store_core::{
    Entry, KeyRef, Limits, SecurityDomain, SessionStore, Storable, Timestamp, Usage, Want,
};

const NOW: Timestamp = Timestamp::EPOCH;

/// A session as large as a backend's: a pointer and a few facts.
#[derive(Clone)]
struct Session([u64; 4]);

impl Storable for Session {
    fn duplicate(&self) -> Option<Self> {
        Some(self.clone())
    }
}

fn put(store: &SessionStore<Session>, key: KeyRef<'_>, usage: Usage) {
    let lifetime = Some(Duration::from_secs(3_600));
    let entry = Entry::new(Session([7; 4]), usage, lifetime, 0, NOW);
    let put = store.put(key, entry, store.generation(), NOW);
    put.expect("stored");
}

fn store(limits: Limits) -> SessionStore<Session> {
    SessionStore::new(limits).expect("valid limits")
}

#[test]
fn an_empty_store_is_small() {
    let mut made = None;
    let heap = measure(|| made = Some(store(Limits::default()))).bytes_current;
    let heap = usize::try_from(heap).expect("positive");
    let all = heap + size_of::<SessionStore<Session>>();
    assert!(all <= 1_024, "{all} bytes, {heap} of them on the heap");
}

#[test]
fn operations_of_a_connection_allocate_nothing() {
    let store = store(Limits::default());
    let domain = SecurityDomain::from([1; 32]);
    let key = |host| KeyRef::new(&domain, host).with_port(443);
    let (tickets, session, unknown) = (key("tickets"), key("session"), key("unknown"));
    for _ in 0..2 {
        put(&store, tickets, Usage::SingleUse);
    }
    put(&store, session, Usage::Reusable);
    store.set_hint(session, 29);
    let counted = measure(|| {
        for _ in 0..100 {
            let start = store.begin(tickets, Want::Any, NOW, |session| session.0[0] == 7);
            let entry = start.offer.expect("put before").entry;
            store.put(tickets, entry, start.begun, NOW).expect("stored");
            assert!(store.offer(session, Want::Any, NOW, |_| true).is_some());
            assert!(store.offer(session, Want::Any, NOW, |_| false).is_none());
            assert!(store.offer(unknown, Want::Any, NOW, |_| true).is_none());
            assert_eq!(store.hint(session), Some(29));
            store.sweep(NOW);
        }
        // All sessions are taken and stored again.
        for _ in 0..100 {
            let entries = [(); 2].map(|()| {
                store
                    .offer(tickets, Want::SingleUse, NOW, |_| true)
                    .expect("put before")
                    .entry
            });
            assert!(
                store
                    .offer(tickets, Want::SingleUse, NOW, |_| true)
                    .is_none()
            );
            for entry in entries {
                let put = store.put(tickets, entry, store.generation(), NOW);
                put.expect("stored");
            }
        }
    });
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0));
}

/// R16: the counted bytes are the allocated ones, and the limit bounds both.
#[test]
fn counted_bytes_are_allocated_bytes() {
    const TOTAL: usize = 8 << 20;
    for per_server in [1, 2] {
        let limits = Limits::default()
            .with_servers(100_000)
            .with_bytes(1_000, 10_000, TOTAL);
        let domain = SecurityDomain::from([1; 32]);
        let mut held = None;
        let real = measure(|| {
            let store = store(limits);
            for port in 0..60_000_u16 {
                let key = KeyRef::new(&domain, "some-server.example").with_port(port);
                for _ in 0..per_server {
                    put(&store, key, Usage::SingleUse);
                }
            }
            held = Some(store);
        });
        let stats = held.as_ref().expect("made").stats();
        let real = u64::try_from(real.bytes_current).expect("positive");
        let total = TOTAL as u64;
        assert!(stats.evicted > 0, "the store is full");
        // A slab has up to an eighth of its slots vacant, and a sixteenth is counted.
        assert!(real.abs_diff(total) < total / 15, "{real} of {total}");
        assert!(
            real.abs_diff(stats.bytes) < total / 15,
            "{real}, {}",
            stats.bytes
        );
    }
}
