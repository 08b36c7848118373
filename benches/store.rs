//! The store alone: no TLS library, sessions that are plain bytes.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use store_core::{
    Entry, KeyRef, Limits, SecurityDomain, SessionKey, SessionStore, Storable, Timestamp, Usage,
};

/// A session of the size that a ticket has.
struct Bytes([u8; 256]);

impl Storable for Bytes {
    fn duplicate(&self) -> Option<Self> {
        Some(Self(self.0))
    }
}

/// A store in which each of the servers has sessions.
struct Filled {
    store: SessionStore<Bytes>,
    keys: Vec<SessionKey>,
    next: usize,
}

const NOW: Timestamp = Timestamp::EPOCH;

impl Filled {
    fn new(servers: usize, usage: Usage) -> Self {
        let store = SessionStore::new(Limits::default()).expect("the defaults are valid");
        let domain = SecurityDomain::builder("bench").finish();
        let key = |n| {
            KeyRef::new(&domain, &format!("server-{n}.example"))
                .with_port(443)
                .to_key()
        };
        let keys = (0..servers).map(key).collect();
        let filled = Self {
            store,
            keys,
            next: 0,
        };
        for key in &filled.keys {
            filled.put(key, entry(usage));
        }
        filled
    }

    /// The servers in turn, in steps that jump about.
    fn next(&mut self) -> usize {
        self.next = (self.next + 619) % self.keys.len();
        self.next
    }

    fn put(&self, key: &SessionKey, entry: Entry<Bytes>) {
        let put = self.store.put(key, entry, self.store.generation(), NOW);
        put.expect("the session fits");
    }
}

fn entry(usage: Usage) -> Entry<Bytes> {
    let lifetime = Some(Duration::from_secs(3_600));
    Entry::new(Bytes([7; 256]), usage, lifetime, 256, NOW)
}

fn store(criterion: &mut Criterion) {
    for servers in [1, 1_000] {
        let mut group = criterion.benchmark_group(format!("store/{servers}"));
        put(&mut group, servers);
        take(&mut group, servers);
        offer(&mut group, servers);
        miss(&mut group, servers);
        group.finish();
    }
}

/// Puts a ticket; once a server has its share, the oldest one goes.
fn put(group: &mut BenchmarkGroup<'_, WallTime>, servers: usize) {
    let mut filled = Filled::new(servers, Usage::SingleUse);
    group.bench_function("put", |bencher| {
        bencher.iter_batched(
            || entry(Usage::SingleUse),
            |entry| {
                let key = filled.next();
                filled.put(&filled.keys[key], entry);
            },
            BatchSize::SmallInput,
        );
    });
}

/// Takes a ticket and puts it back: a store runs dry of what is only taken.
fn take(group: &mut BenchmarkGroup<'_, WallTime>, servers: usize) {
    let mut filled = Filled::new(servers, Usage::SingleUse);
    group.bench_function("take-and-put-back", |bencher| {
        bencher.iter(|| {
            let key = filled.next();
            let key = &filled.keys[key];
            let taken = filled
                .store
                .take(key, NOW)
                .expect("what was put back is there");
            filled.put(key, taken.entry);
        });
    });
}

/// Offers a copy of a reusable session.
fn offer(group: &mut BenchmarkGroup<'_, WallTime>, servers: usize) {
    let mut filled = Filled::new(servers, Usage::Reusable);
    group.bench_function("offer-reusable", |bencher| {
        bencher.iter(|| {
            let key = filled.next();
            let offered = filled.store.offer(&filled.keys[key], NOW);
            black_box(offered.expect("a reusable session stays"));
        });
    });
}

/// Asks for a server that has no session.
fn miss(group: &mut BenchmarkGroup<'_, WallTime>, servers: usize) {
    let filled = Filled::new(servers, Usage::SingleUse);
    let domain = SecurityDomain::builder("bench").finish();
    let unknown = KeyRef::new(&domain, "unknown.example").with_port(443);
    group.bench_function("miss", |bencher| {
        bencher.iter(|| assert!(filled.store.offer(black_box(unknown), NOW).is_none()));
    });
}

criterion_group!(benches, store);
criterion_main!(benches);
