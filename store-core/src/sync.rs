//! The lock and the atomics of the store: in unit tests those of a model checker.
//!
//! Under `cfg(test)` a [`SessionStore`](crate::SessionStore) works only inside a `shuttle` run,
//! which selects the thread that continues at every lock and atomic: see
//! `store/interleaving_tests.rs`. Tests in `tests/`, doctests and other crates get the real ones.
//! Shuttle treats every atomic as sequentially consistent: it checks interleavings, not the
//! `Ordering`s.
//!
//! The lock is that of `parking_lot`: `std`'s looks twice at whether the thread panics, which is 2 of
//! the lines of code that a lock adds to a handshake.

#[cfg(not(test))]
pub(crate) use parking_lot::{Mutex, MutexGuard};
#[cfg(not(test))]
pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[cfg(test)]
pub(crate) use shuttle::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

#[cfg(not(test))]
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

#[cfg(test)]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(shuttle::sync::PoisonError::into_inner)
}
