//! What a store takes that holds nothing.

use crate::measure::Meter;
use crate::{Allocated, Name, Room, real};

/// A store without sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The store.
    pub store: Name,
    /// What it allocated when it was made, for as many servers and bytes as our store may hold by
    /// default.
    pub allocated: Allocated,
    /// Bytes of the value itself.
    pub inline: usize,
}

/// Makes one of each.
pub fn measure(meter: Meter) -> Vec<Row> {
    Name::ALL.map(|store| measure_one(store, meter)).into()
}

fn measure_one(name: Name, meter: Meter) -> Row {
    // What a process sets up once, such as seeds for hashing, is no part of a store.
    drop(real(name, &Room::default()));
    let mut store = None;
    let allocated = meter(&mut || store = Some(real(name, &Room::default())));
    let inline = store.as_deref().map_or(0, size_of_val);
    Row {
        store: name,
        allocated,
        inline,
    }
}
