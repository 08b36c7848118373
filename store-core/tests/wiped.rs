//! R24: what the store frees holds no secret any more. The only test of its program, because it
//! looks at all memory that the program frees.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use store_core::{
    Clock, Entry, KeyRef, Limits, ManualClock, SecurityDomain, SessionStore, Storable, Timestamp,
    Usage,
};
use zeroize::Zeroizing;

/// Planted in every session.
const SECRET: &[u8; 24] = b"planted secret 8c1f03ea7";

/// Blocks of memory that held the secret when they were freed.
static UNWIPED: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which looks at what it is given back.
struct Looking;

// SAFETY: all work is the system allocator's.
unsafe impl GlobalAlloc for Looking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that what was never written can be read on the way back.
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is the caller's until it is given to the system, and all of it was
        // initialized by `alloc`, or by the system when it grew (the default `realloc` calls
        // `alloc`).
        let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
        if bytes.windows(SECRET.len()).any(|window| window == SECRET) {
            UNWIPED.fetch_add(1, Ordering::SeqCst);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Looking = Looking;

/// A session as backends have them: it wipes its secret when it is dropped.
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
fn what_is_freed_holds_no_secret() {
    // The look-out sees what is not wiped.
    drop(SECRET.to_vec());
    assert_eq!(UNWIPED.swap(0, Ordering::SeqCst), 1);

    let clock = ManualClock::new(Timestamp::from_unix(Duration::from_secs(1_000_000)));
    let limits = Limits::default()
        .with_servers(8)
        .with_sessions_per_server(3);
    let store = SessionStore::new(limits).expect("valid limits");
    let domain = SecurityDomain::builder("wiped").finish();
    // More servers than fit, more sessions than fit, taken, copied, cleared, expired and left.
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
                drop(store.offer(key, now));
            }
            if (port * round) % 17 == 5 {
                store.clear_server(key);
            }
        }
        store.sweep(clock.now());
        clock.advance(Duration::from_secs(1));
    }
    let stats = store.stats();
    let ways_out = [
        stats.taken,
        stats.copied,
        stats.expired,
        stats.evicted,
        stats.removed,
    ];
    assert!(ways_out.iter().all(|way| *way > 0), "{stats:?}");
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
