//! What the application keeps beside the sessions of a connection.

use store_core::{ApplicationData, Usage};

use super::{Connection, Phase};

impl Connection {
    /// What the application keeps beside the sessions of this connection: what it has
    /// [set](Self::set_application_data), else what it kept beside the session that was resumed. `None`
    /// before the handshake is done.
    pub fn application_data(&self) -> Option<ApplicationData> {
        let state = self.state();
        if let Some(data) = &state.application_data {
            return Option::clone(data);
        }
        let offered = self.offered.as_ref();
        let resumed = offered.filter(|_| state.phase == Phase::Resumed)?;
        resumed.peer.application_data.clone()
    }

    /// Sets what the application keeps beside the sessions of this connection: those stored already,
    /// unless they were taken or moved to a tier meanwhile, and those received later. A reusable session that
    /// was resumed is one of them.
    pub fn set_application_data(&self, data: Option<ApplicationData>) {
        let mut state = self.state();
        let resumed = self.offered.as_ref().filter(|_| state.is_resumed());
        let reusable = resumed.filter(|offered| offered.usage == Usage::Reusable);
        let reusable = reusable.map(|offered| offered.id);
        let ids = state.older.iter().copied();
        let ids = ids.chain(state.newest).chain(reusable);
        let sessions = &self.settings.sessions;
        let (store, now) = (sessions.store(), sessions.clock().now());
        store.set_application_data(&self.key, ids, data.as_ref(), now);
        state.application_data = Some(Box::new(data));
    }
}
