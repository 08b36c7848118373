//! What the shard and its model have in common: sessions that are counted, and sizes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{ApplicationData, SharedPart, Storable};

/// A numbered session that counts how many of its kind exist.
pub(crate) struct Tracked {
    pub(super) number: u64,
    shared: Option<SharedPart>,
    pub(super) application_data: Option<ApplicationData>,
    alive: Arc<AtomicUsize>,
}

impl Tracked {
    pub(super) fn new(number: u64, shares: u8, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        let id = usize::from(shares);
        Self {
            number,
            shared: (id > 0).then_some(SharedPart { id, bytes: id * 20 }),
            application_data: None,
            alive: Arc::clone(alive),
        }
    }
}

impl Storable for Tracked {
    const PACKS: bool = true;

    fn duplicate(&self) -> Option<Self> {
        self.alive.fetch_add(1, Ordering::SeqCst);
        Some(Self {
            number: self.number,
            shared: self.shared,
            application_data: self.application_data.clone(),
            alive: Arc::clone(&self.alive),
        })
    }

    fn application_data(&self) -> Option<&ApplicationData> {
        self.application_data.as_ref()
    }

    fn set_application_data(&mut self, data: Option<ApplicationData>) {
        self.application_data = data;
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

/// Bytes of a server without sessions, and of the slot of a session.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) fixed: usize,
    pub(super) slot: usize,
}
