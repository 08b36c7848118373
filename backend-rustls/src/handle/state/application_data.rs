//! What the application keeps beside the sessions of a connection.

use store_core::{ApplicationData, Entry, Outcome};

use super::{Offered, State};
use crate::clocked_store::ClockedStore;
use crate::handle::TlsSession;

/// What the application keeps beside the session offered, and beside those of the connection.
#[derive(Default)]
pub(super) struct Beside {
    offered: Option<ApplicationData>,
    own: Option<ApplicationData>,
}

impl<S: TlsSession> State<S> {
    pub(in crate::handle) fn application_data(&self) -> Option<ApplicationData> {
        self.beside.as_ref()?.own.clone()
    }

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
        self.beside.get_or_insert_default().own = data;
    }

    // Out of line: a connection without application data runs through none of it.

    #[cold]
    pub(super) fn remember_offered_data(&mut self, session: &S) {
        let offered = session.application_data().cloned();
        self.beside.get_or_insert_default().offered = offered;
    }

    /// After a resumption, the connection has the data of the session that it offered.
    #[cold]
    pub(super) fn inherit_application_data(&mut self, outcome: Outcome) {
        if outcome == Outcome::Resumed
            && let Some(beside) = &mut self.beside
            && beside.offered.is_some()
        {
            beside.own = beside.offered.take();
        }
    }

    #[cold]
    pub(super) fn add_application_data(&self, session: &mut Option<Entry<S>>) {
        if let Some(entry) = session {
            entry.set_application_data(self.application_data());
        }
    }

    #[cold]
    pub(super) fn forget_application_data(&mut self) {
        self.beside = None;
    }
}
