//! An allocator that counts, where somebody asks: the system's own, so that all libraries allocate
//! from one. While nobody asks it costs a look at a flag.
#![allow(unsafe_code, reason = "an allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use peers::{Allocated, Meter};

/// The allocator: for the one `#[global_allocator]` of a program.
#[derive(Debug)]
pub struct Counting;

thread_local! {
    // Only one thread's work is counted at a time; the others go on unseen.
    static ASKED: Cell<bool> = const { Cell::new(false) };
}
static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);

/// What counts, if [`Counting`] is this program's allocator.
pub fn meter() -> Option<Meter> {
    let one = measure(&mut || drop(black_box(Box::new(1_u64))));
    (one.count > 0).then_some(measure)
}

/// Does the work, and says what this thread allocated meanwhile, and how many bytes of it are still
/// there. All zero in a program with another allocator.
pub fn measure(work: &mut dyn FnMut()) -> Allocated {
    let before = (COUNT.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    ASKED.set(true);
    work();
    ASKED.set(false);
    Allocated {
        count: COUNT.load(Ordering::Relaxed) - before.0,
        bytes: BYTES.load(Ordering::Relaxed) - before.1,
    }
}

fn note(allocations: u64, taken: usize, given_back: usize) {
    if ASKED.get() {
        let bytes = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        COUNT.fetch_add(allocations, Ordering::Relaxed);
        BYTES.fetch_add(bytes(taken) - bytes(given_back), Ordering::Relaxed);
    }
}

// SAFETY: every call goes on to the system's allocator with what it was given, and what comes back
// is handed on. The counters allocate nothing: they are atomics and a thread-local without a
// destructor that is initialized at compile time.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size(), 0);
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size(), 0);
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(0, 0, layout.size());
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, size, layout.size());
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.realloc(block, layout, size) }
    }
}
