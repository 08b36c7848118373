//! R16, R24: the weight of a session of the rustls preview is its memory, and its secrets are wiped.
//! A binary of its own with one test, because its global allocator checks all memory of the process.

#![cfg(feature = "preview")]

#[path = "suite/preview/client.rs"]
#[allow(dead_code, reason = "the suite uses the rest")]
mod client;
#[path = "suite/fixture.rs"]
#[allow(dead_code, reason = "the suite uses the rest")]
mod fixture;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use client::Session;
use fixture::Fixture;
use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol};
use store_core::{Entry, Limits, Portable, Storable, Want};

/// Part of the secret of a session of each version, once known.
static SECRETS: [OnceLock<[u8; 16]>; 2] = [OnceLock::new(), OnceLock::new()];
/// Blocks of memory that contained one when they were freed.
static UNWIPED: AtomicUsize = AtomicUsize::new(0);
/// Bytes in use; each block counts with an allocator's rounding and header.
static IN_USE: AtomicUsize = AtomicUsize::new(0);

struct CheckingAllocator;

fn rounded(layout: Layout) -> usize {
    (layout.size() + 8).next_multiple_of(16)
}

// SAFETY: all allocation is done by the system allocator.
unsafe impl GlobalAlloc for CheckingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(rounded(layout), Ordering::SeqCst);
        // Zeroed, so that `dealloc` can read bytes that were never written.
        // SAFETY: the caller's guarantees are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(rounded(layout), Ordering::SeqCst);
        for secret in SECRETS.iter().filter_map(OnceLock::get) {
            // SAFETY: the block is the caller's until it is freed, and all of it was initialized by
            // `alloc` (the default `realloc` calls it, too).
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            if bytes.windows(secret.len()).any(|window| window == secret) {
                UNWIPED.fetch_add(1, Ordering::SeqCst);
            }
        }
        // SAFETY: the caller's guarantees are passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CheckingAllocator = CheckingAllocator;

#[test]
fn sessions_weigh_their_memory_and_leave_no_secret() {
    weights_are_exact();
    secrets_are_wiped();
    // The control: a secret that is not wiped is found.
    drop(SECRETS[0].get().expect("a secret").to_vec());
    assert_eq!(UNWIPED.load(Ordering::SeqCst), 1);
}

/// R24: in all operations of a store and of a tier on a session. Not in a handshake, where rustls
/// itself leaves copies of the TLS 1.2 secret.
fn secrets_are_wiped() {
    for (protocol, known) in Protocol::ALL.into_iter().zip(&SECRETS) {
        let fixture = Fixture::new(Library::Rustls, protocol);
        fixture.visit();
        let (store, key, now) = (fixture.sessions.store(), fixture.key(), fixture.now());
        let entry = store
            .offer(&key, Want::Any, now, |_| true)
            .expect("a session")
            .entry;
        let encoded = entry.session.encode().expect("bytes");
        // The cipher suite; in TLS 1.2 the session id with its length; in TLS 1.3 the length of the
        // secret; then the secret.
        let start = match protocol {
            Protocol::Tls13 => 3,
            Protocol::Tls12 => 3 + usize::from(encoded.session[2]),
        };
        let secret = encoded.session[start..start + 16].try_into();
        known.set(secret.expect("16 bytes")).expect("only once");

        for _ in 0..3 {
            let (session, weight) = Session::decode(&encoded, entry.usage).expect("a session");
            let entry = Entry::new(session, entry.usage, None, weight, now);
            store
                .put(&key, entry, store.generation(), now)
                .expect("the store accepts it");
        }
        let offered = store
            .offer(&key, Want::Any, now, |_| true)
            .expect("a session")
            .entry;
        drop(offered.session.encode());
        drop(offered);
        store.clear();
        let mut damaged = encoded.clone();
        damaged.session.truncate(encoded.session.len() - 1);
        assert!(Session::decode(&damaged, entry.usage).is_none());
        drop((fixture, entry, encoded, damaged));
        assert_eq!(UNWIPED.load(Ordering::SeqCst), 0, "{protocol}");
    }
}

/// Upper bound of the memory of a nearly empty certificate table beyond what is counted.
const TABLE: usize = 8 * 1024;

/// R16.
fn weights_are_exact() {
    let stranger = Authority::new(KeyKind::EcdsaP256).issue(&["one.more.example"]);
    for protocol in Protocol::ALL {
        for more in [0, 4] {
            let fixture = Fixture::with(Library::Rustls, protocol, Limits::default(), |settings| {
                let chain = &mut settings.identity.chain;
                chain.resize(chain.len() + more, stranger.chain[0].clone());
            });
            fixture.visit();
            let offer =
                fixture
                    .sessions
                    .store()
                    .offer(&fixture.key(), Want::Any, fixture.now(), |_| true);
            let entry = offer.expect("a session").entry;
            let encoded = entry.session.encode().expect("bytes");

            // The certificates are in the table already.
            let before = IN_USE.load(Ordering::SeqCst);
            let (session, weight) = Session::decode(&encoded, entry.usage).expect("a session");
            let taken = IN_USE.load(Ordering::SeqCst) - before + size_of::<Session>();
            let length = encoded.session.len();
            let case =
                format!("{protocol}, {more} more: {length} encoded, {taken} taken, {weight}");
            assert_eq!(entry.weight, weight);
            assert_eq!(taken, weight, "{case}");
            let (one, other) = (session.shared_part(), entry.session.shared_part());
            let shared = one.expect("certificates");
            assert_eq!(one, other);

            let Entry { usage, .. } = entry;
            drop((fixture, entry, session));
            let before = IN_USE.load(Ordering::SeqCst);
            let again = Session::decode(&encoded, usage).expect("a session").0;
            let taken = IN_USE.load(Ordering::SeqCst) - before + size_of::<Session>();
            let counted = weight + shared.bytes;
            assert!(taken < counted + TABLE, "{case}; {taken} of {counted}");
            assert!(counted < taken + 400, "{case}; {taken} of {counted}");
            drop(again);
            assert_eq!(IN_USE.load(Ordering::SeqCst), before, "{case}");
        }
    }
}
