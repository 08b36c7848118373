//! The lock and the atomics of the store: those of `std`, and in this crate's own unit tests those
//! of a model checker.
//!
//! Under `cfg(test)` a [`SessionStore`](crate::SessionStore) works only inside a `shuttle` run,
//! which decides at every lock and every atomic which thread goes on: see
//! `store/interleaving_tests.rs`. Tests in `tests/`, doctests and all other crates get `std`.
//! Shuttle runs every atomic as if it were sequentially consistent: it checks the order in which
//! things are done, not the `Ordering`s given.

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
