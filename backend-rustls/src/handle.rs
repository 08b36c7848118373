//! The handle of one connection, for every version of rustls.

mod state;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};
use rustls::pki_types::ServerName;
use store_core::{
    AddressId, ApplicationData, Entry, KeyRef, Outcome, Protocol, SessionKey, Storable, Timestamp,
};

use self::state::State;
use crate::clocked_store::ClockedStore;

/// A session of any version of rustls.
pub(crate) trait TlsSession: Storable {
    /// The version of TLS that it belongs to.
    fn protocol(&self) -> Protocol;
    /// When the certificates of its full handshake expire, as far as they are known.
    fn not_after(&self) -> Timestamp;
    fn set_not_after(&mut self, not_after: Timestamp);
}

/// A connection's access to the store. The `Connection` of each version of rustls wraps one and
/// converts the types of that version; its documentation lists the guarantees.
///
/// Each callback of rustls takes the lock once. It is held while the store is called, so that
/// `forget` knows every session that was stored.
pub(crate) struct Handle<S: TlsSession> {
    store: ClockedStore<S>,
    state: Mutex<State<S>>,
    /// Whether the server has sent application data.
    answered: AtomicBool,
    /// Whether the end of the transport says nothing: the client has sent `close_notify`, or it has ended.
    closed: AtomicBool,
}

impl<S: TlsSession> Handle<S> {
    pub(crate) fn new(store: ClockedStore<S>, key: SessionKey) -> Self {
        let state = Mutex::new(State::new(key, store.store().generation()));
        Self {
            store,
            state,
            answered: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// Begins another connection, to `key`, after this one has [ended](Self::end). Reuses the memory.
    pub(crate) fn begin_again(&self, key: KeyRef<'_>) {
        self.answered.store(false, Ordering::Relaxed);
        self.closed.store(false, Ordering::Relaxed);
        let generation = self.store.store().generation();
        self.state().begin_again(key, generation);
    }

    /// Ends a connection that is dropped. A handshake that is not settled has failed.
    pub(crate) fn end(&self) {
        self.state().end(&self.store);
    }

    pub(crate) fn offered(&self) -> bool {
        self.state().offered()
    }

    pub(crate) fn tickets(&self) -> usize {
        self.state().tickets
    }

    pub(crate) fn max_early_data(&self) -> Option<u32> {
        self.state().max_early_data
    }

    pub(crate) fn application_data(&self) -> Option<ApplicationData> {
        self.state().application_data()
    }

    pub(crate) fn set_application_data(&self, data: Option<ApplicationData>) {
        self.state().set_application_data(&self.store, data);
    }

    /// The certificates of a full handshake expire at this time.
    pub(crate) fn certificates_expire(&self, at: Timestamp) {
        self.state().not_after = at;
    }

    /// Ends a handshake that succeeded, resumed or full. Later calls do nothing.
    pub(crate) fn settle(&self, resumed: bool) {
        self.state().settle(&self.store, resumed);
    }

    /// The connection is made to this address.
    pub(crate) fn connects_to(&self, address: AddressId) {
        self.state().connects_to(address);
    }

    /// Makes the connection offer nothing.
    pub(crate) fn offer_nothing(&self) {
        self.state().offer_nothing(&self.store);
    }

    /// Ends a handshake that the application abandons.
    pub(crate) fn cancel(&self) {
        self.state().cancel(&self.store, Outcome::Cancelled);
    }

    /// Ends a handshake because the server's certificate is not accepted.
    pub(crate) fn distrusted(&self) {
        self.state().cancel(&self.store, Outcome::Distrusted);
    }

    /// The server has sent a fatal alert, or in the handshake what cannot be read (`None`).
    pub(crate) fn alert_received(&self, alert: Option<u8>) {
        let answered = self.answered.load(Ordering::Relaxed);
        self.state().alert_received(&self.store, alert, answered);
    }

    /// The client has sent `close_notify`.
    pub(crate) fn closed(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// The transport has ended after the handshake. Only the first end counts.
    pub(crate) fn transport_ended(&self) {
        let closed = self.closed.swap(true, Ordering::Relaxed);
        if !closed && !self.answered.load(Ordering::Relaxed) {
            self.state().transport_ended(&self.store);
        }
    }

    /// The server has sent application data.
    pub(crate) fn received_data(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Revokes what the connection stored, and the sessions that its own descend from.
    pub(crate) fn forget(&self) {
        self.state().forget(&self.store);
    }

    /// Stores the group that the server chose, at the latest when the handshake is settled: it is
    /// not secret, and no trust depends on it.
    pub(crate) fn set_hint(&self, name: &ServerName<'_>, group: u16) {
        if let Some(mut state) = self.state_for(name) {
            state.set_hint(&self.store, group);
        }
    }

    pub(crate) fn hint(&self, name: &ServerName<'_>) -> Option<u16> {
        self.state_for(name)?.hint(&self.store)
    }

    /// Takes a session that `received` creates at the given time. `early_data` is its
    /// `max_early_data_size`.
    pub(crate) fn receive(
        &self,
        name: &ServerName<'_>,
        early_data: Option<u32>,
        received: impl FnOnce(Timestamp) -> Entry<S>,
    ) {
        if let Some(mut state) = self.state_for(name) {
            state.receive(&self.store, early_data, received);
        }
    }

    /// A TLS 1.3 ticket to offer.
    ///
    /// Looks up a session of either kind, so that a connection counts as one offer or one miss:
    /// rustls calls for a TLS 1.3 ticket first, and then for a TLS 1.2 session.
    pub(crate) fn take(&self, name: &ServerName<'_>) -> Option<S> {
        self.state_for(name)?.take(&self.store)
    }

    /// A TLS 1.2 session to offer: the one that [`take`](Self::take) found, or of a look-up if
    /// `take` was not called.
    pub(crate) fn copy(&self, name: &ServerName<'_>) -> Option<S> {
        self.state_for(name)?.copy(&self.store)
    }

    /// Removes the TLS 1.2 session that this connection offered, if it is still in the store. A
    /// newer one stays. rustls calls this when the handshake that offered the session failed, or
    /// negotiated TLS 1.3.
    pub(crate) fn remove_offered(&self, name: &ServerName<'_>) {
        if let Some(state) = self.state_for(name) {
            state.remove_offered(&self.store);
        }
    }

    #[inline]
    fn state(&self) -> MutexGuard<'_, State<S>> {
        // No code panics while the state is half changed.
        self.state.lock()
    }

    /// The state, if `name` is the host of the key.
    #[inline]
    fn state_for(&self, name: &ServerName<'_>) -> Option<MutexGuard<'_, State<S>>> {
        let state = self.state();
        state.is_for(name).then_some(state)
    }
}

impl<S: TlsSession> Drop for Handle<S> {
    fn drop(&mut self) {
        self.state.get_mut().end(&self.store);
    }
}

impl<S: TlsSession> fmt::Debug for Handle<S> {
    /// Shows the key and the counts, never a session; under the public type's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Connection")
            .field("key", state.key())
            .field("offered", &state.offered())
            .field("tickets", &state.tickets)
            .finish_non_exhaustive()
    }
}
