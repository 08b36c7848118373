//! Runs one store operation for `scripts/bench-instructions`, which counts its instructions with
//! callgrind: `instructions OPERATION SERVERS`.
//!
//! Only [`measured`] is counted. Keys and time are the same in each run. The store draws a random
//! seed for hashing; each operation runs for many servers, so that the seed changes the count by well
//! below one per cent.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use store_core::{
    Entry, KeyRef, Limits, Offer, SecurityDomain, SessionKey, SessionStore, Storable, Timestamp,
    Usage, Want,
};

/// Operations that one run counts.
const TIMES: usize = 4_096;
const NOW: Timestamp = Timestamp::EPOCH;
const LIFETIME: Duration = Duration::from_secs(3_600);
const GROUP: u16 = 29;
const NAMES: [&str; 9] = [
    "put",
    "take",
    "put+take",
    "miss",
    "hint",
    "set_hint",
    "offer_reusable",
    "put_at_capacity",
    "sweep",
];

/// A session of the size of a small ticket. It has no heap allocation, which would be counted, too.
#[derive(Clone)]
struct Session([u64; 16]);

impl Storable for Session {
    fn duplicate(&self) -> Option<Self> {
        Some(self.clone())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [word] = arguments.as_slice()
        && word == "list"
    {
        for name in NAMES {
            println!("{name}");
        }
        println!("times {TIMES}");
        return ExitCode::SUCCESS;
    }
    let [operation, servers] = arguments.as_slice() else {
        eprintln!("usage: instructions list | OPERATION SERVERS");
        return ExitCode::from(2);
    };
    let Some(servers) = servers.parse().ok().filter(|servers| *servers > 0) else {
        eprintln!("not a number of servers: {servers}");
        return ExitCode::from(2);
    };
    if run(operation, servers).is_none() {
        eprintln!("no such operation: {operation}");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

/// Prepares the store and runs the operation [`TIMES`] times inside [`measured`]. `None` if there is no
/// such operation.
fn run(operation: &str, servers: usize) -> Option<()> {
    let mut fixture = Fixture::new(servers, operation == "put_at_capacity");
    match operation {
        "put" => measured(&mut || fixture.each(|fixture, key| fixture.put(key, Usage::SingleUse))),
        "take" => {
            fixture.each(|fixture, key| fixture.put(key, Usage::SingleUse));
            measured(&mut || fixture.each(|fixture, key| assert!(fixture.take(key).is_some())));
        }
        "put+take" => measured(&mut || {
            fixture.each(|fixture, key| {
                let offer = fixture.take(key).expect("the only ticket");
                fixture.put_entry(key, offer.entry);
            });
        }),
        "miss" => {
            let unknown = Fixture::keys(&fixture.domain, "unknown", servers);
            fixture.keys = unknown;
            measured(&mut || fixture.each(|fixture, key| assert!(fixture.take(key).is_none())));
        }
        "hint" => measured(&mut || {
            fixture.each(|fixture, key| assert_eq!(fixture.store.hint(key), Some(GROUP)));
        }),
        "set_hint" => {
            measured(&mut || fixture.each(|fixture, key| fixture.store.set_hint(key, GROUP)));
        }
        "offer_reusable" => {
            fixture.each(|fixture, key| {
                let _ = fixture.take(key);
                fixture.put(key, Usage::Reusable);
            });
            measured(&mut || fixture.each(|fixture, key| assert!(fixture.offer(key).is_some())));
        }
        "put_at_capacity" => {
            fixture.keys = Fixture::keys(&fixture.domain, "new", TIMES);
            measured(&mut || fixture.each(|fixture, key| fixture.put(key, Usage::SingleUse)));
        }
        // Most sweeps find nothing, as in applications.
        "sweep" => {
            let later = NOW.after(LIFETIME * 2);
            measured(&mut || (0..TIMES).for_each(|_| fixture.store.sweep(black_box(later))));
            assert!(fixture.store.stats().expired > 0);
        }
        _ => return None,
    }
    Some(())
}

/// The function that callgrind counts.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
}

/// A store with one ticket for each server.
struct Fixture {
    store: SessionStore<Session>,
    domain: SecurityDomain,
    keys: Vec<SessionKey>,
}

impl Fixture {
    fn new(servers: usize, full: bool) -> Self {
        // The store is full, or half empty.
        let capacity = if full { servers } else { servers.max(512) * 2 };
        let limits = Limits::default().with_servers(capacity);
        let domain = SecurityDomain::from([7; 32]);
        let fixture = Self {
            store: SessionStore::new(limits).expect("the limits are valid"),
            keys: Self::keys(&domain, "host", servers),
            domain,
        };
        for key in &fixture.keys {
            fixture.put(key, Usage::SingleUse);
            fixture.store.set_hint(key, GROUP);
        }
        fixture
    }

    fn keys(domain: &SecurityDomain, kind: &str, servers: usize) -> Vec<SessionKey> {
        (0..servers)
            .map(|at| {
                KeyRef::new(domain, &format!("{kind}-{at:07}.example.com"))
                    .with_port(443)
                    .to_key()
            })
            .collect()
    }

    /// Calls `work` [`TIMES`] times, for one server after the other.
    fn each(&self, work: impl Fn(&Self, &SessionKey)) {
        for key in self.keys.iter().cycle().take(TIMES) {
            work(self, black_box(key));
        }
    }

    fn put(&self, key: &SessionKey, usage: Usage) {
        let session = black_box(Session([7; 16]));
        let weight = size_of::<Session>();
        self.put_entry(key, Entry::new(session, usage, Some(LIFETIME), weight, NOW));
    }

    fn put_entry(&self, key: &SessionKey, entry: Entry<Session>) {
        let begun = self.store.generation();
        let put = self.store.put(key, entry, begun, NOW);
        put.expect("the session fits");
    }

    fn take(&self, key: &SessionKey) -> Option<Offer<Session>> {
        self.store.offer(key, Want::SingleUse, NOW, |_| true)
    }

    fn offer(&self, key: &SessionKey) -> Option<u64> {
        let offer = self.store.offer(key, Want::Any, NOW, |_| true)?;
        Some(offer.entry.session.0[0])
    }
}
