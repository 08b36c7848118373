//! What the application keeps beside the sessions of a connection.

use store_core::ApplicationData;

use super::{Offered, State};
use crate::clocked_store::ClockedStore;
use crate::handle::TlsSession;

impl<S: TlsSession> State<S> {
    /// Sets what the application keeps beside the sessions of the connection: those that are stored, and
    /// later ones.
    pub(in crate::handle) fn set_application_data(
        &mut self,
        store: &ClockedStore<S>,
        data: Option<ApplicationData>,
    ) {
        let resumed = self.offered.filter(|_| self.resumed().is_some());
        let ids = self.stored.iter().copied();
        let ids = ids.chain(resumed.and_then(Offered::reusable));
        let now = store.now();
        let store = store.store();
        store.set_application_data(&self.key, ids, data.as_ref(), now);
        self.application_data = data;
    }
}
