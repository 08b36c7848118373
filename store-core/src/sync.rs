//! The lock, the atomics and the hash seeds of the store: those of `std`, and in this crate's own
//! unit tests those of a model checker.
//!
//! Under `cfg(test)` a [`SessionStore`](crate::SessionStore) works only inside a `shuttle` run,
//! which decides at every lock and every atomic which thread goes on: see
//! `store/interleaving_tests.rs`. Tests in `tests/`, doctests and all other crates get `std`.
//! Shuttle runs every atomic as if it were sequentially consistent: it checks the order in which
//! things are done, not the `Ordering`s given.

#[cfg(not(test))]
pub(crate) use std::{
    hash::RandomState,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    sync::{Mutex, MutexGuard, PoisonError},
};

#[cfg(test)]
pub(crate) use self::checked::RandomState;
#[cfg(test)]
pub(crate) use shuttle::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    sync::{Mutex, MutexGuard, PoisonError},
};

#[cfg(test)]
mod checked {
    use std::hash::{BuildHasher, DefaultHasher};

    /// The same seed in every run: a schedule can only be replayed if keys hash as before.
    pub(crate) struct RandomState;

    impl RandomState {
        pub(crate) fn new() -> Self {
            Self
        }
    }

    impl BuildHasher for RandomState {
        type Hasher = DefaultHasher;

        fn build_hasher(&self) -> DefaultHasher {
            DefaultHasher::new()
        }
    }
}
