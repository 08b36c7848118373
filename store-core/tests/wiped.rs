//! R24: memory that the store frees contains no secret. A binary of its own with one test, because
//! its global allocator inspects all memory that is freed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use store_core::{
    Clock, Entry, KeyRef, Limits, ManualClock, SecurityDomain, SessionStore, Storable, Timestamp,
    Usage, Want,
};
use zeroize::Zeroizing;

/// Planted in every session.
const SECRET: &[u8; 24] = b"planted secret 8c1f03ea7";

/// The number of freed blocks that contained the secret.
static UNWIPED: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with an inspection of freed blocks.
struct Inspecting;

// SAFETY: the system's allocator does all allocation.
unsafe impl GlobalAlloc for Inspecting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that `dealloc` can read bytes that were never written.
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is valid until it is passed to the system, and `alloc` initialized all
        // of it (the default `realloc` calls `alloc`).
        let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
        if bytes.windows(SECRET.len()).any(|window| window == SECRET) {
            UNWIPED.fetch_add(1, Ordering::SeqCst);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Inspecting = Inspecting;

/// A session that wipes its secret when it is dropped.
struct Session(Zeroizing<Vec<u8>>);

impl Session {
    fn new() -> Self {
        Self(Zeroizing::new(SECRET.to_vec()))
    }
}

impl Storable for Session {
    fn duplicate(&self) -> Option<Self> {
        Some(Self(self.0.clone()))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

#[test]
fn freed_memory_contains_no_secret() {
    // The control: the allocator finds a secret that is not wiped.
    drop(SECRET.to_vec());
    assert_eq!(UNWIPED.swap(0, Ordering::SeqCst), 1);

    let clock = ManualClock::new(Timestamp::from_unix(Duration::from_secs(1_000_000)));
    let limits = Limits::default()
        .with_servers(8)
        .with_sessions_per_server(3);
    let store = SessionStore::new(limits).expect("valid limits");
    let domain = SecurityDomain::builder("wiped").finish();
    // More servers and sessions than fit: taken, copied, cleared, expired, and some left at the
    // end.
    for round in 0..50_u16 {
        for port in 0..20 {
            let key = KeyRef::new(&domain, "host").with_port(port);
            let usage = if (port + round) % 4 == 0 {
                Usage::Reusable
            } else {
                Usage::SingleUse
            };
            let lifetime = Some(Duration::from_secs(u64::from(port)));
            let now = clock.now();
            let entry = Entry::new(Session::new(), usage, lifetime, 100, now);
            let _ = store.put(key, entry, store.generation(), now);
            if (port ^ round) % 3 == 0 {
                drop(store.offer(key, Want::Any, now, |_| true));
            }
            if (port * round) % 17 == 5 {
                store.clear_server(key);
            }
        }
        store.sweep(clock.now());
        clock.advance(Duration::from_secs(1));
    }
    let stats = store.stats();
    let removals = [
        stats.taken,
        stats.copied,
        stats.expired,
        stats.evicted,
        stats.removed,
    ];
    assert!(removals.iter().all(|count| *count > 0), "{stats:?}");
    let shown = format!("{store:?} {stats:?}");
    assert!(
        !shown
            .as_bytes()
            .windows(SECRET.len())
            .any(|window| window == SECRET)
    );
    drop(store);
    assert_eq!(UNWIPED.load(Ordering::SeqCst), 0);
}
