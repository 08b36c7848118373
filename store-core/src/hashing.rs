//! The hash function for keys.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

use crate::KeyRef;

/// The hash function of one store: quick, not cryptographic.
///
/// Its seeds are random, as those of `std`'s maps, so that an attacker cannot choose names that
/// collide. Some names collide under every seed: it does not distinguish some characters that no
/// host name has. They cost a search in one shard, whose size is bounded.
pub(crate) struct KeyHasher(SeedableRandomState);

impl KeyHasher {
    /// A function with a random seed.
    pub(crate) fn new() -> Self {
        static SHARED: OnceLock<SharedSeed> = OnceLock::new();
        let shared = SHARED.get_or_init(|| SharedSeed::from_u64(seed()));
        Self(SeedableRandomState::with_seed(seed(), shared))
    }

    #[inline]
    pub(crate) fn hash(&self, key: &KeyRef<'_>) -> u64 {
        self.0.hash_one(key)
    }
}

#[cfg(not(test))]
fn seed() -> u64 {
    std::hash::RandomState::new().hash_one(0)
}

/// Constant, so that a schedule of threads can be replayed: keys hash as before.
#[cfg(test)]
fn seed() -> u64 {
    0x5eed
}
