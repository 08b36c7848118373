//! R16, R24: a session of the next rustls weighs what it takes, and its secret is wiped wherever it
//! was. The only test of its program, because it looks at all memory.

#![cfg(feature = "preview")]

#[path = "connection/preview/client.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[path = "connection/world.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod world;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use client::Session;
use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol};
use store_core::{Entry, Limits, Portable, Storable};
use world::World;

/// Part of the secret of a session of each version, once it is known.
static SECRETS: [OnceLock<[u8; 16]>; 2] = [OnceLock::new(), OnceLock::new()];
/// Blocks of memory that held one when they were freed.
static UNWIPED: AtomicUsize = AtomicUsize::new(0);
/// Bytes that are in use, each block rounded up as allocators do, with their own bookkeeping.
static IN_USE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

fn rounded(layout: Layout) -> usize {
    (layout.size() + 8).next_multiple_of(16)
}

// SAFETY: all work is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(rounded(layout), Ordering::SeqCst);
        // Zeroed, so that what was never written can be read on the way back.
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(rounded(layout), Ordering::SeqCst);
        for secret in SECRETS.iter().filter_map(OnceLock::get) {
            // SAFETY: the block is the caller's until it is given to the system, and all of it was
            // initialized by `alloc` (the default `realloc` calls it, too).
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            if bytes.windows(secret.len()).any(|window| window == secret) {
                UNWIPED.fetch_add(1, Ordering::SeqCst);
            }
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn sessions_weigh_what_they_take_and_leave_no_secret() {
    what_sessions_weigh();
    what_sessions_leave();
    // It can fail: a secret that is not wiped is found.
    drop(SECRETS[0].get().expect("a secret").to_vec());
    assert_eq!(UNWIPED.load(Ordering::SeqCst), 1);
}

/// R24: in all that a store and what is behind it do with a session. Not in a handshake, in which
/// rustls itself leaves copies of the secret of TLS 1.2.
fn what_sessions_leave() {
    for (protocol, known) in Protocol::ALL.into_iter().zip(&SECRETS) {
        let world = World::new(Library::Rustls, protocol);
        world.visit();
        let (store, key, now) = (world.sessions.store(), world.key(), world.now());
        let entry = store.offer(&key, now).expect("a session").entry;
        let encoded = entry.session.encode().expect("bytes");
        // The suite, then the length and the secret, or the length and an id before it.
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
                .expect("room");
        }
        let offered = store.offer(&key, now).expect("a session").entry;
        drop(offered.session.encode());
        drop(offered);
        store.clear();
        let mut damaged = encoded.clone();
        damaged.session.truncate(encoded.session.len() - 1);
        assert!(Session::decode(&damaged, entry.usage).is_none());
        drop((world, entry, encoded, damaged));
        assert_eq!(UNWIPED.load(Ordering::SeqCst), 0, "{protocol}");
    }
}

/// What the table of certificates takes at most beside what is counted, when it is nearly empty.
const TABLE: usize = 8 * 1024;

/// R16.
fn what_sessions_weigh() {
    let stranger = Authority::new(KeyKind::EcdsaP256).issue(&["one.more.example"]);
    for protocol in Protocol::ALL {
        for more in [0, 4] {
            let world = World::with(Library::Rustls, protocol, Limits::default(), |settings| {
                let chain = &mut settings.identity.chain;
                chain.resize(chain.len() + more, stranger.chain[0].clone());
            });
            world.visit();
            let offer = world.sessions.store().offer(&world.key(), world.now());
            let entry = offer.expect("a session").entry;
            let encoded = entry.session.encode().expect("bytes");

            // Its certificates are there already.
            let before = IN_USE.load(Ordering::SeqCst);
            let (session, weight) = Session::decode(&encoded, entry.usage).expect("a session");
            let takes = IN_USE.load(Ordering::SeqCst) - before + size_of::<Session>();
            let written = encoded.session.len();
            let case =
                format!("{protocol}, {more} more: {written} written, {takes} taken, {weight}");
            assert_eq!(entry.weight, weight);
            assert_eq!(takes, weight, "{case}");
            let (one, other) = (session.shared_part(), entry.session.shared_part());
            let shared = one.expect("certificates");
            assert_eq!(one, other);

            let Entry { usage, .. } = entry;
            drop((world, entry, session));
            let before = IN_USE.load(Ordering::SeqCst);
            let again = Session::decode(&encoded, usage).expect("a session").0;
            let takes = IN_USE.load(Ordering::SeqCst) - before + size_of::<Session>();
            let counted = weight + shared.bytes;
            assert!(takes < counted + TABLE, "{case}; {takes} of {counted}");
            assert!(counted < takes + 400, "{case}; {takes} of {counted}");
            drop(again);
            assert_eq!(IN_USE.load(Ordering::SeqCst), before, "{case}");
        }
    }
}
