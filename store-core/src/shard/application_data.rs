//! Application data beside stored sessions.

use super::{HashedKey, Index, Shard};
use crate::dropped::Dropped;
use crate::{ApplicationData, EntryId, Storable, Timestamp, Usage};

impl<S: Storable> Shard<S> {
    /// Sets the application data of those of the sessions `ids` of a server that are there. One that would
    /// exceed the limit of a session gets none. Evicts what the data leaves no room for. Returns whether
    /// a reusable session is among them.
    #[cold]
    pub(crate) fn set_application_data(
        &mut self,
        hashed: &HashedKey<'_>,
        ids: &[EntryId],
        data: Option<&ApplicationData>,
        now: Timestamp,
        dropped: &mut Dropped<S>,
    ) -> bool {
        let Some(index) = self.slab.find(hashed) else {
            return false;
        };
        let Some(node) = self.slab.get(index) else {
            return false;
        };
        let bounds = self.bounds(node.bytes() - node.server.footprint());
        let most = self.limits.session_bytes.min(bounds.bytes);
        let most = most.min(bounds.footprint);
        let reusable = self.change_at(index, |server, stats| {
            let mut reusable = false;
            for id in ids {
                let usage = server.set_application_data(*id, data, most, stats, dropped);
                reusable |= usage == Some(Usage::Reusable);
            }
            server.drop_excess(bounds, None, now, stats, dropped);
            reusable
        });
        if !self.fits() {
            self.make_room(Index::NONE, now, dropped);
        }
        reusable == Some(true)
    }
}
