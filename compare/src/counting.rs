//! An allocator that counts on request. It is the system's allocator, so that all libraries use the
//! same one. While nothing is counted, each call costs one check of a flag.
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
    // Counts one thread at a time; other threads are not counted.
    static ENABLED: Cell<bool> = const { Cell::new(false) };
}
static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);

/// The meter of allocations; `None` unless [`Counting`] is this program's allocator.
pub fn meter() -> Option<Meter> {
    let one = measure(&mut || drop(black_box(Box::new(1_u64))));
    (one.count > 0).then_some(measure)
}

/// Does the work. Returns this thread's allocations meanwhile, and how many more bytes are allocated
/// at the end. All are zero in a program with another allocator.
pub fn measure(work: &mut dyn FnMut()) -> Allocated {
    let before = (COUNT.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    ENABLED.set(true);
    work();
    ENABLED.set(false);
    Allocated {
        count: COUNT.load(Ordering::Relaxed) - before.0,
        bytes: BYTES.load(Ordering::Relaxed) - before.1,
    }
}

fn count(allocations: u64, allocated: usize, freed: usize) {
    if ENABLED.get() {
        let bytes = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        COUNT.fetch_add(allocations, Ordering::Relaxed);
        BYTES.fetch_add(bytes(allocated) - bytes(freed), Ordering::Relaxed);
    }
}

// SAFETY: every call is forwarded to the system's allocator with its arguments, and the result is
// returned unchanged. The counters do not allocate: they are atomics and a thread-local without a
// destructor that is initialized at compile time.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: the caller upholds the contract of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: the caller upholds the contract of this function.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(0, 0, layout.size());
        // SAFETY: the caller upholds the contract of this function.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size, layout.size());
        // SAFETY: the caller upholds the contract of this function.
        unsafe { System.realloc(block, layout, size) }
    }
}
