//! Workload: the memory of an empty store.

use crate::measure::Meter;
use crate::{Allocated, Capacity, StoreKind, real};

/// The memory of one store without sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The store.
    pub store: StoreKind,
    /// What its construction allocated, with the default limits of our store.
    pub allocated: Allocated,
    /// Size of the struct in bytes.
    pub inline: usize,
}

/// Measures every [`StoreKind`].
pub fn measure(meter: Meter) -> Vec<Row> {
    StoreKind::ALL.map(|kind| measure_one(kind, meter)).into()
}

fn measure_one(kind: StoreKind, meter: Meter) -> Row {
    // The first construction also does work once per process, such as seeding hashes.
    drop(real(kind, &Capacity::default()));
    let mut store = None;
    let allocated = meter(&mut || store = Some(real(kind, &Capacity::default())));
    let inline = store.as_deref().map_or(0, size_of_val);
    Row {
        store: kind,
        allocated,
        inline,
    }
}
