//! Application data beside the sessions of a server.

use super::Server;
use crate::application_data::{bytes_beside, set_beside};
use crate::dropped::Dropped;
use crate::{ApplicationData, EntryId, Stats, Storable, Usage};

impl<S: Storable> Server<S> {
    /// Sets the application data of the session `id`; none, if the session would then have more than
    /// `most` bytes. Returns the usage of the session, `None` if it is not there.
    ///
    /// Removes a session that is being packed: its packed form has the data before. The data before is
    /// dropped here, under the lock: that calls no TLS library.
    pub(crate) fn set_application_data(
        &mut self,
        id: EntryId,
        data: Option<&ApplicationData>,
        most: usize,
        stats: &mut Stats,
        dropped: &mut Dropped<S>,
    ) -> Option<Usage> {
        let index = self.position(|held| held.id == id)?;
        let held = self.get_mut(index)?;
        let (usage, before) = (held.usage, held.weight);
        let Some(session) = &mut held.session else {
            stats.removed += u64::from(self.drop_at(index, dropped));
            return Some(usage);
        };
        let shared = session.shared_part().map_or(0, |shared| shared.bytes);
        let without = before.saturating_sub(bytes_beside(session));
        let own = without.saturating_add(shared);
        let fits = |data: &&ApplicationData| own.saturating_add(data.bytes()) <= most;
        set_beside(session, &mut held.weight, data.filter(fits).cloned());
        let after = held.weight;
        self.footprint = self.footprint.saturating_sub(before).saturating_add(after);
        Some(usage)
    }
}
