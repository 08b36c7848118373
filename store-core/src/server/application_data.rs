//! Application data beside the sessions of a server.

use super::Server;
use crate::{ApplicationData, EntryId, Storable, Usage};

impl<S: Storable> Server<S> {
    /// Sets the application data of the session `id`; none, if the session would then have more than
    /// `most` bytes. Returns the usage of the session, `None` if it is not there.
    ///
    /// The data before is dropped here, under the lock: that calls no TLS library.
    pub(crate) fn set_application_data(
        &mut self,
        id: EntryId,
        data: Option<&ApplicationData>,
        most: usize,
    ) -> Option<Usage> {
        let index = self.position(|held| held.id == id)?;
        let held = self.get_mut(index)?;
        let shared = held.session.as_ref().and_then(S::shared_part);
        let own = held.weight.saturating_add(shared.map_or(0, |it| it.bytes));
        let fits = |data: &&ApplicationData| own.saturating_add(data.bytes()) <= most;
        let data = data.filter(fits).cloned();
        let bytes =
            |data: &Option<ApplicationData>| data.as_ref().map_or(0, ApplicationData::bytes);
        let after = bytes(&data);
        let before = bytes(&std::mem::replace(&mut held.application_data, data));
        let usage = held.usage;
        self.bytes = self.bytes.saturating_sub(before).saturating_add(after);
        Some(usage)
    }
}
