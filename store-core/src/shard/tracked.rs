//! What the shard and its model have in common: sessions that are counted, and sizes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{SharedPart, Storable, Usage};

/// A numbered session that counts how many of its kind exist.
pub(crate) struct Tracked {
    pub(super) number: u64,
    shared: Option<SharedPart>,
    alive: Arc<AtomicUsize>,
}

impl Tracked {
    pub(super) fn new(number: u64, shares: u8, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        let id = usize::from(shares);
        Self {
            number,
            shared: (id > 0).then_some(SharedPart { id, bytes: id * 20 }),
            alive: Arc::clone(alive),
        }
    }
}

impl Storable for Tracked {
    const PACKS: bool = true;

    fn duplicate(&self) -> Option<Self> {
        None
    }

    fn shared_part(&self) -> Option<SharedPart> {
        self.shared
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Bytes of a server without sessions, and of the slots of sessions.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) fixed: usize,
    pub(super) single_use: usize,
    pub(super) reusable: usize,
}

impl Sizes {
    pub(super) fn slot(&self, usage: Usage) -> usize {
        match usage {
            Usage::SingleUse => self.single_use,
            Usage::Reusable => self.reusable,
        }
    }
}
