//! The lock and the atomics of the store: from `std`, and in unit tests from a model checker.
//!
//! Under `cfg(test)` a [`SessionStore`](crate::SessionStore) works only inside a `shuttle` run,
//! which selects the thread that continues at every lock and atomic: see
//! `store/interleaving_tests.rs`. Tests in `tests/`, doctests and other crates get `std`. Shuttle
//! treats every atomic as sequentially consistent: it checks interleavings, not the `Ordering`s.

#[cfg(not(test))]
pub(crate) use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

#[cfg(test)]
pub(crate) use shuttle::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
