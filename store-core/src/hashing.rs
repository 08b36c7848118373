//! How keys are hashed.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

use crate::KeyRef;

/// A hash function of one store.
///
/// A quick one, not a cryptographic one. Its seeds are drawn as those of `std`'s maps are, so that
/// nobody can choose host names that collide without seeing the order of what is stored. Where
/// keys collide all the same (some characters that no host name has are one to it), that costs a
/// search in one shard, whose size is bounded.
pub(crate) struct KeyHasher(SeedableRandomState);

impl KeyHasher {
    /// Another one than those before it.
    pub(crate) fn new() -> Self {
        static SHARED: OnceLock<SharedSeed> = OnceLock::new();
        let shared = SHARED.get_or_init(|| SharedSeed::from_u64(seed()));
        Self(SeedableRandomState::with_seed(seed(), shared))
    }

    #[inline]
    pub(crate) fn hash(&self, key: KeyRef<'_>) -> u64 {
        self.0.hash_one(key)
    }
}

#[cfg(not(test))]
fn seed() -> u64 {
    std::hash::RandomState::new().hash_one(0)
}

/// The same seed in every run: a schedule of threads can only be replayed if keys hash as before.
#[cfg(test)]
fn seed() -> u64 {
    0x5eed
}
