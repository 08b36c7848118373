//! Application data beside the sessions of one connection that a shared handle serves.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use store_core::{ApplicationData, EntryId, KeyRef, SessionKey};

use crate::clocked_store::ClockedStore;
use crate::session::Session;

/// The most stored sessions of a connection to which data that is set later is added: the newest ones.
const MOST_STORED: usize = 64;

/// What an application keeps beside the sessions of one connection. For a
/// [`SharedHandle`](crate::SharedHandle) that serves no other, such as that of a QUIC connection.
///
/// rustls does not tell such a handle whether the connection was resumed, so its sessions have only what is
/// set here, not what the offered one had.
#[derive(Clone, Default)]
pub struct SessionData(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    offered: Option<ApplicationData>,
    current: Option<ApplicationData>,
    // invariant: `Some` if there are stored sessions
    server: Option<(ClockedStore<Session>, SessionKey)>,
    // invariant: at most `MOST_STORED`, oldest first
    stored: Vec<EntryId>,
}

impl SessionData {
    /// Nothing, for a connection that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the application kept beside the session that this connection offered: from the
    /// `ClientHello` on, so before early data is sent. `None` if it offered none. The server may decline.
    pub fn offered(&self) -> Option<ApplicationData> {
        self.0.lock().offered.clone()
    }

    /// Sets what the application keeps beside the sessions of this connection: those stored already, unless
    /// another connection has taken them meanwhile, and those received later.
    pub fn set(&self, data: Option<ApplicationData>) {
        let mut state = self.0.lock();
        if let Some((store, key)) = &state.server {
            let (ids, now) = (state.stored.iter().copied(), store.now());
            let store = store.store();
            store.set_application_data(key, ids, data.as_ref(), now);
        }
        state.current = data;
    }

    /// A session is given to rustls, with this beside it.
    pub(crate) fn set_offered(&self, data: Option<ApplicationData>) {
        self.0.lock().offered = data;
    }

    /// Stores a session by `put`, with the current data beside it. The lock is held meanwhile, so that
    /// [`set`](Self::set) knows every session that was stored.
    pub(crate) fn store(
        &self,
        store: &ClockedStore<Session>,
        key: KeyRef<'_>,
        put: impl FnOnce(Option<ApplicationData>) -> Option<EntryId>,
    ) {
        let mut state = self.0.lock();
        let Some(id) = put(state.current.clone()) else {
            return;
        };
        if state
            .server
            .as_ref()
            .is_none_or(|(_, known)| known.as_key() != key)
        {
            // Of another connection, to another server, since the configuration was used twice.
            state.stored.clear();
            state.server = Some((store.clone(), key.to_key()));
        }
        if state.stored.len() >= MOST_STORED {
            state.stored.remove(0);
        }
        state.stored.push(id);
    }
}

impl fmt::Debug for SessionData {
    /// Shows lengths only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("SessionData")
            .field("offered", &state.offered)
            .field("current", &state.current)
            .finish_non_exhaustive()
    }
}
