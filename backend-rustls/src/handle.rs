//! One connection's dealings with the store, the same for every version of rustls.

mod progress;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustls::pki_types::ServerName;
use store_core::{Entry, Generation, HostRef, KeyRef, Offer, SessionKey, SessionStore, Storable};
use store_core::{Timestamp, Usage};

use self::progress::{Claim, Next, Offered, Progress};
use crate::clocked::Clocked;
use crate::host::host;

/// Stands for no group.
const NO_GROUP: u32 = u32::MAX;

/// What a connection may do with the store. A version of rustls has its own type in front of this
/// one, which speaks that version's types and says what it promises.
pub(crate) struct Handle<S: Storable> {
    sessions: Clocked<S>,
    key: SessionKey,
    begun: Generation,
    /// When a session was looked for.
    began: OnceLock<Timestamp>,
    settled: AtomicBool,
    /// The group that the store was found to know.
    hinted: AtomicU32,
    progress: Mutex<Progress<S>>,
}

impl<S: Storable> Handle<S> {
    pub(crate) fn new(sessions: Clocked<S>, key: SessionKey) -> Self {
        let begun = sessions.store().generation();
        Self {
            sessions,
            key,
            begun,
            began: OnceLock::new(),
            settled: AtomicBool::new(false),
            hinted: AtomicU32::new(NO_GROUP),
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

    /// When what comes in now came in. Until the handshake is settled that is when it began, by the
    /// one look at the clock that a connection takes: a session is then thought older than it is, by
    /// as long as the handshake took. So it is given up earlier and never later than it must be.
    pub(crate) fn arrival(&self) -> Timestamp {
        match self.began.get() {
            Some(began) if !self.settled.load(Ordering::Relaxed) => *began,
            _ => self.sessions.now(),
        }
    }

    /// The handshake succeeded: `resumed`, or in full. Later calls do nothing.
    pub(crate) fn settle(&self, resumed: bool) {
        let now = self.arrival();
        let settled = self.progress().settle(resumed, now);
        self.settled.store(true, Ordering::Relaxed);
        if let Some(outcome) = settled.outcome {
            self.store().report(&self.key, outcome);
        }
        for entry in settled.received {
            self.put(entry, now);
        }
    }

    /// The application gives the handshake up.
    pub(crate) fn cancel(&self) {
        let (outcome, forgotten) = self.progress().cancel();
        // Here, where the lock is released.
        drop(forgotten);
        if let Some(outcome) = outcome {
            self.store().report(&self.key, outcome);
        }
    }

    /// The server ended the connection with a fatal alert.
    pub(crate) fn alert_received(&self) {
        let resumed = self.progress().resumed();
        self.forget();
        if let Some(id) = resumed {
            self.store().remove_up_to(&self.key, id);
        }
    }

    /// Nothing of this connection is to stay, nor the reusable session that it offered.
    pub(crate) fn forget(&self) {
        let forgotten = self.progress().forget();
        for id in forgotten.stored {
            self.store().remove(&self.key, id);
        }
    }

    /// Whether rustls speaks of the server that this connection was made for.
    pub(crate) fn is_for(&self, name: &ServerName<'_>) -> bool {
        let key = self.key.as_key();
        match (host(name), key.host()) {
            // Nearly always: what the key was made of is what rustls was told.
            (Some(HostRef::Name(one)), HostRef::Name(other)) if one == other => true,
            (Some(host), other) => KeyRef::from_host(key.domain(), host).host() == other,
            (None, _) => false,
        }
    }

    /// Stored at once: a hint is no secret, and nobody's trust rests on it. Not again if it is
    /// what the store said: that is what most servers choose.
    pub(crate) fn set_hint(&self, name: &ServerName<'_>, group: u16) {
        if self.is_for(name) && self.hinted.load(Ordering::Relaxed) != u32::from(group) {
            self.store().set_hint(&self.key, group);
        }
    }

    pub(crate) fn hint(&self, name: &ServerName<'_>) -> Option<u16> {
        if !self.is_for(name) {
            return None;
        }
        let group = self.store().hint(&self.key)?;
        self.hinted.store(group.into(), Ordering::Relaxed);
        Some(group)
    }

    /// A session came in, from the server that this connection is for, at its
    /// [`arrival`](Self::arrival). `early_data` is how many bytes a TLS 1.3 ticket allows.
    pub(crate) fn receive(&self, entry: Entry<S>, early_data: Option<u32>, now: Timestamp) {
        let room = self.room();
        let next = self.progress().receive(entry, early_data, room);
        match next {
            Next::Store(entry) => self.put(entry, now),
            // Here, where the lock is released.
            Next::Drop(entry) => drop(entry),
        }
    }

    /// A single-use session to offer. Looks for a session of either kind, once for both, so that a
    /// connection counts as one offer or as one miss: rustls asks for a TLS 1.3 ticket first, and
    /// then for a TLS 1.2 session.
    pub(crate) fn take(&self, name: &ServerName<'_>) -> Option<S> {
        if !self.is_for(name) || !self.progress().may_offer() {
            return None;
        }
        let (_, offer) = self.store().begin(&self.key, self.begin(), |_| true);
        match offer {
            Some(offer) if offer.entry.usage == Usage::SingleUse => Some(self.hand_out(offer)),
            other => {
                let before = self.progress().swap_look_up(other.into());
                // Here, where the lock is released.
                drop(before);
                None
            }
        }
    }

    /// A reusable session to offer: what [`take`](Self::take) found and could not give, if it was
    /// asked before; rustls does. Else a look-up.
    pub(crate) fn copy(&self, name: &ServerName<'_>) -> Option<S> {
        if !self.is_for(name) {
            return None;
        }
        let claim = self.progress().claim();
        match claim {
            Claim::Found(session) => Some(session),
            Claim::Nothing => None,
            Claim::LookUp => {
                let offer = self.store().copy(&self.key, self.begin())?;
                Some(self.hand_out(offer))
            }
        }
    }

    /// Removes the reusable session that this connection offered, if it is still there: rustls
    /// asks for it when that session led to a broken handshake, or to one of TLS 1.3. A newer one
    /// stays.
    pub(crate) fn remove_offered(&self, name: &ServerName<'_>) {
        if !self.is_for(name) {
            return;
        }
        let offered = self.progress().offered().and_then(Offered::reusable);
        if let Some(id) = offered {
            self.store().remove(&self.key, id);
        }
    }

    /// The time, for a look-up.
    fn begin(&self) -> Timestamp {
        let now = self.sessions.now();
        // The first one stays: earlier is safe.
        let _ = self.began.set(now);
        now
    }

    fn progress(&self) -> MutexGuard<'_, Progress<S>> {
        // Nothing panics half-way through a change, so what a panicking thread left is whole.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> &SessionStore<S> {
        self.sessions.store()
    }

    /// How many sessions of one connection are worth remembering: more than the store would hold
    /// of one server are not.
    fn room(&self) -> usize {
        let limits = self.store().limits();
        match limits.servers {
            0 => 0,
            _ => limits.sessions_per_server,
        }
    }

    fn put(&self, entry: Entry<S>, now: Timestamp) {
        // Refused is counted by the store, and means no more than a full handshake next time.
        let Ok(id) = self.store().put(&self.key, entry, self.begun, now) else {
            return;
        };
        // One more than the store holds: the oldest one is then gone from memory for sure, which
        // is how the store knows of a revocation that others may have left.
        let keep = self.progress().remember(id, self.room().saturating_add(1));
        if !keep {
            // `forget` came in between.
            self.store().remove(&self.key, id);
        }
    }

    /// Notes that `offer` goes to rustls.
    fn hand_out(&self, offer: Offer<S>) -> S {
        self.progress().hand_out(Offered::new(&offer));
        offer.entry.session
    }
}

impl<S: Storable> Drop for Handle<S> {
    fn drop(&mut self) {
        let progress = self.progress.get_mut();
        let abandoned = progress.unwrap_or_else(PoisonError::into_inner).abandon();
        if let Some(id) = abandoned.remove_up_to {
            self.store().remove_up_to(&self.key, id);
        }
        if let Some(outcome) = abandoned.outcome {
            self.store().report(&self.key, outcome);
        }
    }
}

impl<S: Storable> fmt::Debug for Handle<S> {
    /// Shows the key and the counts, never a session; by the name that its user knows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("key", &self.key)
            .field("offered", &self.offered())
            .field("tickets", &self.tickets())
            .finish_non_exhaustive()
    }
}
