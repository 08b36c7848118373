//! The store's operations for `scripts/bench-instructions`, which counts their instructions under
//! callgrind: `instructions OPERATION SERVERS`.
//!
//! Only what happens in [`measured`] is counted. Keys and time are always the same. The store draws
//! its own seed for hashing; each operation is done for many servers, so that the seed makes a
//! difference of well below one per cent.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use store_core::{
    Entry, KeyRef, Limits, Offer, SecurityDomain, SessionKey, SessionStore, Storable, Timestamp,
    Usage,
};

/// Operations that are counted in one run.
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

/// A session of the size of a small ticket, without a heap of its own, which would not be the
/// store's to pay for.
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

/// Prepares, and does the operation [`TIMES`] times where it is counted.
fn run(operation: &str, servers: usize) -> Option<()> {
    let mut field = Field::new(servers, operation == "put_at_capacity");
    match operation {
        "put" => measured(&mut || field.each(|field, key| field.put(key, Usage::SingleUse))),
        "take" => {
            field.each(|field, key| field.put(key, Usage::SingleUse));
            measured(&mut || field.each(|field, key| assert!(field.take(key).is_some())));
        }
        "put+take" => measured(&mut || {
            field.each(|field, key| {
                let offer = field.take(key).expect("the only ticket");
                field.put_entry(key, offer.entry);
            });
        }),
        "miss" => {
            let unknown = Field::keys(&field.domain, "unknown", servers);
            field.keys = unknown;
            measured(&mut || field.each(|field, key| assert!(field.take(key).is_none())));
        }
        "hint" => measured(&mut || {
            field.each(|field, key| assert_eq!(field.store.hint(key), Some(GROUP)));
        }),
        "set_hint" => measured(&mut || field.each(|field, key| field.store.set_hint(key, GROUP))),
        "offer_reusable" => {
            field.each(|field, key| {
                let _ = field.take(key);
                field.put(key, Usage::Reusable);
            });
            measured(&mut || field.each(|field, key| assert!(field.offer(key).is_some())));
        }
        "put_at_capacity" => {
            field.keys = Field::keys(&field.domain, "new", TIMES);
            measured(&mut || field.each(|field, key| field.put(key, Usage::SingleUse)));
        }
        // Most of them find nothing, as it is in life.
        "sweep" => {
            let later = NOW.after(LIFETIME * 2);
            measured(&mut || (0..TIMES).for_each(|_| field.store.sweep(black_box(later))));
            assert!(field.store.stats().expired > 0);
        }
        _ => return None,
    }
    Some(())
}

/// What callgrind is told to count.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
}

/// A store whose servers have a ticket each.
struct Field {
    store: SessionStore<Session>,
    domain: SecurityDomain,
    keys: Vec<SessionKey>,
}

impl Field {
    fn new(servers: usize, full: bool) -> Self {
        // Half of it is empty, or none.
        let room = if full { servers } else { servers.max(512) * 2 };
        let limits = Limits::default().with_servers(room);
        let domain = SecurityDomain::from([7; 32]);
        let field = Self {
            store: SessionStore::new(limits).expect("limits that agree with each other"),
            keys: Self::keys(&domain, "host", servers),
            domain,
        };
        for key in &field.keys {
            field.put(key, Usage::SingleUse);
            field.store.set_hint(key, GROUP);
        }
        field
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

    /// Goes through the servers in turn until it was done [`TIMES`] times.
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
        self.store.take(key, NOW)
    }

    fn offer(&self, key: &SessionKey) -> Option<u64> {
        let offer = self.store.offer(key, NOW)?;
        Some(offer.entry.session.0[0])
    }
}
