//! The handle of one connection, for every version of rustls.

mod progress;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustls::pki_types::ServerName;
use store_core::{Entry, Generation, HostRef, KeyRef, Offer, SessionKey, SessionStore, Storable};
use store_core::{Timestamp, Usage};

use self::progress::{Offered, Progress, Received, ReusableLookup};
use crate::clocked_store::ClockedStore;
use crate::host::host_ref;

/// No key-exchange group: larger than any `u16`.
const NO_GROUP: u32 = u32::MAX;

/// A connection's access to the store. The `Connection` of each version of rustls wraps one and
/// converts the types of that version; its documentation lists the guarantees.
pub(crate) struct Handle<S: Storable> {
    store: ClockedStore<S>,
    key: SessionKey,
    /// The store's generation when the connection began.
    generation: Generation,
    /// The time of the first look-up.
    looked_up_at: OnceLock<Timestamp>,
    settled: AtomicBool,
    /// The group that the store returned as hint, or `NO_GROUP`.
    stored_hint: AtomicU32,
    progress: Mutex<Progress<S>>,
}

impl<S: Storable> Handle<S> {
    pub(crate) fn new(store: ClockedStore<S>, key: SessionKey) -> Self {
        let generation = store.store().generation();
        Self {
            store,
            key,
            generation,
            looked_up_at: OnceLock::new(),
            settled: AtomicBool::new(false),
            stored_hint: AtomicU32::new(NO_GROUP),
            progress: Mutex::new(Progress::default()),
        }
    }

    pub(crate) fn offered(&self) -> bool {
        self.progress().offered().is_some()
    }

    pub(crate) fn tickets(&self) -> usize {
        self.progress().tickets()
    }

    pub(crate) fn max_early_data(&self) -> Option<u32> {
        self.progress().max_early_data()
    }

    /// The timestamp for a session received now. Until the handshake is settled it is the time of
    /// the look-up, which saves a call of the clock: the session then counts as older by the
    /// duration of the handshake, and so expires earlier, never later.
    pub(crate) fn receive_time(&self) -> Timestamp {
        match self.looked_up_at.get() {
            Some(time) if !self.settled.load(Ordering::Relaxed) => *time,
            _ => self.store.now(),
        }
    }

    /// Ends a handshake that succeeded, resumed or full. Later calls do nothing.
    pub(crate) fn settle(&self, resumed: bool) {
        let now = self.receive_time();
        let settled = self.progress().settle(resumed, now);
        self.settled.store(true, Ordering::Relaxed);
        if let Some(outcome) = settled.outcome {
            self.store().report(&self.key, outcome);
        }
        for entry in settled.received {
            self.put(entry, now);
        }
    }

    /// Ends a handshake that the application abandons.
    pub(crate) fn cancel(&self) {
        let (outcome, dropped) = self.progress().cancel();
        // After the lock is released.
        drop(dropped);
        if let Some(outcome) = outcome {
            self.store().report(&self.key, outcome);
        }
    }

    /// The server has sent a fatal alert.
    pub(crate) fn alert_received(&self) {
        let resumed = self.progress().resumed();
        self.forget();
        if let Some(id) = resumed {
            self.store().remove_up_to(&self.key, id);
        }
    }

    /// Revokes what the connection stored, and the reusable session that it offered.
    pub(crate) fn forget(&self) {
        let forgotten = self.progress().forget();
        for id in forgotten.stored {
            self.store().remove(&self.key, id);
        }
    }

    /// Whether `name` is the host of the key.
    pub(crate) fn is_for(&self, name: &ServerName<'_>) -> bool {
        let key = self.key.as_key();
        match (host_ref(name), key.host()) {
            // The usual case: rustls was given the name that the key was made of.
            (Some(HostRef::Name(one)), HostRef::Name(other)) if one == other => true,
            (Some(host), other) => KeyRef::from_host(key.domain(), host).host() == other,
            (None, _) => false,
        }
    }

    /// Stores a hint at once: it is not secret, and no trust depends on it. Skipped if the store
    /// returned the same, which is the usual case.
    pub(crate) fn set_hint(&self, name: &ServerName<'_>, group: u16) {
        if self.is_for(name) && self.stored_hint.load(Ordering::Relaxed) != u32::from(group) {
            self.store().set_hint(&self.key, group);
        }
    }

    pub(crate) fn hint(&self, name: &ServerName<'_>) -> Option<u16> {
        if !self.is_for(name) {
            return None;
        }
        let group = self.store().hint(&self.key)?;
        self.stored_hint.store(group.into(), Ordering::Relaxed);
        Some(group)
    }

    /// Takes a session received from the server of the key at [`receive_time`](Self::receive_time).
    /// `early_data` is how many bytes a TLS 1.3 ticket allows.
    pub(crate) fn receive(&self, entry: Entry<S>, early_data: Option<u32>, now: Timestamp) {
        let capacity = self.capacity();
        let received = self.progress().receive(entry, early_data, capacity);
        match received {
            Received::Store(entry) => self.put(entry, now),
            // After the lock is released.
            Received::Drop(entry) => drop(entry),
        }
    }

    /// A single-use session to offer.
    ///
    /// Looks up a session of either kind, so that a connection counts as one offer or one miss:
    /// rustls calls for a TLS 1.3 ticket first, and then for a TLS 1.2 session.
    pub(crate) fn take(&self, name: &ServerName<'_>) -> Option<S> {
        if !self.is_for(name) || !self.progress().may_offer() {
            return None;
        }
        let (_, offer) = self.store().begin(&self.key, self.look_up_time(), |_| true);
        match offer {
            Some(offer) if offer.entry.usage == Usage::SingleUse => Some(self.hand_out(offer)),
            other => {
                let before = self.progress().replace_look_up(other.into());
                // After the lock is released.
                drop(before);
                None
            }
        }
    }

    /// A reusable session to offer: the one that [`take`](Self::take) found, or of a look-up if
    /// `take` was not called.
    pub(crate) fn copy(&self, name: &ServerName<'_>) -> Option<S> {
        if !self.is_for(name) {
            return None;
        }
        let found = self.progress().hand_out_reusable();
        match found {
            ReusableLookup::Found(session) => Some(session),
            ReusableLookup::Nothing => None,
            ReusableLookup::NotMade => {
                let offer = self.store().copy(&self.key, self.look_up_time())?;
                Some(self.hand_out(offer))
            }
        }
    }

    /// Removes the reusable session that this connection offered, if it is still in the store. A
    /// newer one stays. rustls calls this when the handshake that offered the session failed, or
    /// negotiated TLS 1.3.
    pub(crate) fn remove_offered(&self, name: &ServerName<'_>) {
        if !self.is_for(name) {
            return;
        }
        let offered = self.progress().offered().and_then(Offered::reusable);
        if let Some(id) = offered {
            self.store().remove(&self.key, id);
        }
    }

    fn look_up_time(&self) -> Timestamp {
        let now = self.store.now();
        // The first time stays: earlier is safe.
        let _ = self.looked_up_at.set(now);
        now
    }

    fn progress(&self) -> MutexGuard<'_, Progress<S>> {
        // No code panics while the state is half changed.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> &SessionStore<S> {
        self.store.store()
    }

    /// How many sessions of one connection the store can hold.
    fn capacity(&self) -> usize {
        let limits = self.store().limits();
        match limits.servers {
            0 => 0,
            _ => limits.sessions_per_server,
        }
    }

    fn put(&self, entry: Entry<S>, now: Timestamp) {
        // The store counts refusals; the next handshake is then a full one.
        let Ok(id) = self.store().put(&self.key, entry, self.generation, now) else {
            return;
        };
        // One id more than the store can hold: the oldest is then certainly not in memory, and
        // removing it makes the store revoke the server's sessions in the tier.
        let keep = self
            .progress()
            .remember(id, self.capacity().saturating_add(1));
        if !keep {
            // `forget` was called meanwhile.
            self.store().remove(&self.key, id);
        }
    }

    /// Records that `offer` goes to rustls.
    fn hand_out(&self, offer: Offer<S>) -> S {
        self.progress().set_offered(Offered::new(&offer));
        offer.entry.session
    }
}

impl<S: Storable> Drop for Handle<S> {
    fn drop(&mut self) {
        let progress = self.progress.get_mut();
        let dropped = progress.unwrap_or_else(PoisonError::into_inner).end();
        if let Some(id) = dropped.remove_up_to {
            self.store().remove_up_to(&self.key, id);
        }
        if let Some(outcome) = dropped.outcome {
            self.store().report(&self.key, outcome);
        }
    }
}

impl<S: Storable> fmt::Debug for Handle<S> {
    /// Shows the key and the counts, never a session; under the public type's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("key", &self.key)
            .field("offered", &self.offered())
            .field("tickets", &self.tickets())
            .finish_non_exhaustive()
    }
}
