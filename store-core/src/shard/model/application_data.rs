//! Application data in the model.

use std::ops::Range;

use super::Model;
use crate::Timestamp;

impl Model {
    /// Sets the bytes beside those of the sessions `ids` of a server that are there.
    pub(in crate::shard) fn set_beside(
        &mut self,
        name: u8,
        ids: Range<u64>,
        bytes: usize,
        now: Timestamp,
    ) {
        let (limits, sizes) = (self.limits.clone(), self.sizes);
        let most = limits.session_bytes.min(limits.server_bytes);
        let most = most.min(limits.total_bytes.saturating_sub(sizes.fixed));
        let set = self.change(name, |server, stats| {
            for id in ids {
                server.set_beside(id, bytes, most, stats);
            }
            server.drop_excess(&limits, sizes, None, now, stats);
        });
        if set.is_some() {
            self.make_room(None, now);
        }
    }
}
