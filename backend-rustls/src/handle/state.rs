//! The state of one connection: the sessions that it offered, received and stored.

mod application_data;
mod offered;

use rustls::pki_types::ServerName;
use smallvec::SmallVec;
use store_core::{
    AddressId, Begun, Entry, EntryId, Generation, HostRef, KeyRef, Offer, Outcome, Protocol,
    SessionKey, Start, Timestamp, Want,
};

use self::application_data::Beside;
use self::offered::{Inherited, Offered};
use super::TlsSession;
use crate::clocked_store::ClockedStore;
use crate::host::host_ref;

/// The state of one connection.
pub(super) struct State<S> {
    key: SessionKey,
    /// When the connection began; with its look-up, as soon as that is made.
    begun: Begun,
    look_up: LookUp<S>,
    offered: Option<Offered>,
    phase: Phase,
    /// The sessions received in the handshake: the newest one, and the others, oldest first.
    received: Option<Entry<S>>,
    received_before: Vec<Entry<S>>,
    /// The group that the store returned, and the one that the server chose.
    known_hint: Option<u16>,
    chosen_hint: Option<u16>,
    /// When the certificates of this connection's full handshake expire.
    pub(super) not_after: Timestamp,
    /// Whether the outcome was reported.
    reported: bool,
    /// The ids of stored sessions, oldest first: at most one more than the store can hold.
    stored: SmallVec<[EntryId; 4]>,
    pub(super) tickets: usize,
    pub(super) max_early_data: Option<u32>,
    /// What the application keeps beside sessions, if it does.
    beside: Option<Box<Beside>>,
}

enum Phase {
    /// The handshake is not settled: sessions are held.
    Handshake,
    /// The handshake succeeded.
    Settled(Inherited),
    /// Revoked by `forget` or cancelled: nothing more is stored.
    Forgotten,
}

/// The look-up of the connection, which the first callback makes.
enum LookUp<S> {
    NotMade,
    /// It found a TLS 1.2 session, which rustls has not called for yet.
    Found(Timestamp, Offer<S>),
    Made(Timestamp),
}

impl<S: TlsSession> State<S> {
    /// The state of a connection to `key` that begins in `generation`.
    pub(super) fn new(key: SessionKey, generation: Generation) -> Self {
        Self {
            key,
            begun: generation.into(),
            look_up: LookUp::NotMade,
            offered: None,
            phase: Phase::Handshake,
            received: None,
            received_before: Vec::new(),
            known_hint: None,
            chosen_hint: None,
            not_after: Timestamp::NEVER,
            reported: false,
            stored: SmallVec::new(),
            tickets: 0,
            max_early_data: None,
            beside: None,
        }
    }

    /// Begins another connection after this one has [ended](Self::end).
    pub(super) fn begin_again(&mut self, key: KeyRef<'_>, generation: Generation) {
        self.key.set(key);
        self.begun = generation.into();
        self.look_up = LookUp::NotMade;
        self.offered = None;
        self.phase = Phase::Handshake;
        (self.known_hint, self.chosen_hint) = (None, None);
        self.not_after = Timestamp::NEVER;
        self.reported = false;
        self.stored.clear();
        self.tickets = 0;
        self.max_early_data = None;
        if self.beside.is_some() {
            self.forget_application_data();
        }
    }

    pub(super) fn connects_to(&mut self, address: AddressId) {
        self.begun = self.begun.at(Some(address));
    }

    pub(super) fn key(&self) -> &SessionKey {
        &self.key
    }

    pub(super) fn offered(&self) -> bool {
        self.offered.is_some()
    }

    /// Whether `name` is the host of the key.
    #[inline]
    pub(super) fn is_for(&self, name: &ServerName<'_>) -> bool {
        let key = self.key.as_key();
        match (host_ref(name), key.host()) {
            // The usual case: rustls was given the name that the key was made of.
            (Some(HostRef::Name(one)), HostRef::Name(other)) if one == other => true,
            (Some(host), other) => KeyRef::from_host(key.domain(), host).host() == other,
            (None, _) => false,
        }
    }

    /// Makes the look-up, unless it was made or the connection may offer nothing. Returns a TLS 1.3
    /// ticket; keeps a TLS 1.2 session.
    #[expect(clippy::inline_always, reason = "a call moves the offer twice")]
    #[inline(always)]
    fn look_up(&mut self, store: &ClockedStore<S>, want: Want) -> Option<Offer<S>> {
        if !matches!(self.look_up, LookUp::NotMade) || !self.may_offer() {
            return None;
        }
        let now = store.now();
        let look_up = store_core::LookUp {
            address: self.begun.address(),
            ..want.into()
        };
        let Start {
            begun, hint, offer, ..
        } = store.store().begin(&self.key, look_up, now, |_| true);
        self.begun = begun.since(self.begun.generation());
        self.known_hint = hint;
        self.look_up = LookUp::Made(now);
        match offer {
            Some(offer) if offer.entry.session.protocol() == Protocol::Tls12 => {
                self.look_up = LookUp::Found(now, offer);
                None
            }
            offer => offer,
        }
    }

    /// Whether a session may be offered: once, and before the handshake is settled.
    fn may_offer(&self) -> bool {
        self.offered.is_none() && matches!(self.phase, Phase::Handshake)
    }

    pub(super) fn take(&mut self, store: &ClockedStore<S>) -> Option<S> {
        let offer = self.look_up(store, Want::Any)?;
        Some(self.hand_out(offer))
    }

    pub(super) fn copy(&mut self, store: &ClockedStore<S>) -> Option<S> {
        if matches!(self.look_up, LookUp::NotMade) {
            self.look_up_reusable(store);
        }
        let LookUp::Found(now, _) = self.look_up else {
            return None;
        };
        match std::mem::replace(&mut self.look_up, LookUp::Made(now)) {
            LookUp::Found(_, offer) if self.may_offer() => Some(self.hand_out(offer)),
            _ => None,
        }
    }

    /// If rustls did not call for a ticket before, it cannot use one.
    #[cold]
    fn look_up_reusable(&mut self, store: &ClockedStore<S>) {
        self.look_up(store, Want::Reusable);
    }

    /// Records that `offer` goes to rustls.
    #[inline]
    fn hand_out(&mut self, offer: Offer<S>) -> S {
        let Offer { id, entry } = offer;
        self.offered = Some(Offered {
            id,
            usage: entry.usage,
            protocol: entry.session.protocol(),
            established: entry.established,
            expires: entry.expires,
            not_after: entry.session.not_after(),
        });
        if entry.session.application_data().is_some() {
            self.remember_offered_data(&entry.session);
        }
        entry.session
    }

    pub(super) fn hint(&mut self, store: &ClockedStore<S>) -> Option<u16> {
        if let LookUp::NotMade = self.look_up {
            // rustls calls for a session first, unless it offers none.
            self.known_hint = store.store().hint(&self.key);
        }
        self.known_hint
    }

    pub(super) fn set_hint(&mut self, store: &ClockedStore<S>, group: u16) {
        if self.known_hint == Some(group) {
            return;
        }
        self.chosen_hint = Some(group);
        if !matches!(self.phase, Phase::Handshake) {
            self.finish(store, None, None, Timestamp::EPOCH);
        }
    }

    /// The timestamp for a session received now. Until the handshake is settled it is the time of
    /// the look-up, which saves a call of the clock: the session then counts as older by the
    /// duration of the handshake, and so expires earlier, never later.
    fn receive_time(&self, store: &ClockedStore<S>) -> Timestamp {
        match (&self.look_up, &self.phase) {
            (LookUp::Made(now) | LookUp::Found(now, _), Phase::Handshake) => *now,
            _ => store.now(),
        }
    }

    pub(super) fn receive(
        &mut self,
        store: &ClockedStore<S>,
        early_data: Option<u32>,
        received: impl FnOnce(Timestamp) -> Entry<S>,
    ) {
        let now = self.receive_time(store);
        self.tickets = self.tickets.saturating_add(1);
        self.max_early_data = self.max_early_data.max(early_data);
        match self.phase {
            Phase::Handshake => {
                if self.received.is_some() {
                    self.hold_older(capacity(store));
                }
                self.received = Some(received(now));
            }
            Phase::Settled(inherited) => {
                let mut entry = received(now);
                inherited.apply(&mut entry);
                self.finish(store, None, Some(entry), now);
            }
            // Takes what the transport has counted for it.
            Phase::Forgotten => drop(received(now)),
        }
    }

    /// Moves the session received before to the older ones: as many as the store can hold beside the next.
    #[cold]
    fn hold_older(&mut self, capacity: usize) {
        self.received_before.extend(self.received.take());
        if self.received_before.len() >= capacity {
            self.received_before.remove(0);
        }
    }

    pub(super) fn settle(&mut self, store: &ClockedStore<S>, resumed: bool) {
        if matches!(self.phase, Phase::Settled(_)) {
            return;
        }
        let now = self.receive_time(store);
        let resumed = self.offered.filter(|_| resumed);
        let outcome = match (resumed, self.offered) {
            (Some(_), _) => Outcome::Resumed,
            (None, Some(_)) => Outcome::Declined,
            (None, None) => Outcome::Full,
        };
        let inherited = Inherited {
            resumed: resumed.map(|offered| offered.id),
            established: resumed.map_or(now, |offered| offered.established),
            reusable_until: resumed.map_or(Timestamp::NEVER, |offered| offered.expires),
            not_after: resumed.map_or(self.not_after, |offered| offered.not_after),
        };
        if outcome == Outcome::Declined {
            self.remove_declined_ticket(store);
        }
        if self.beside.is_some() {
            self.inherit_application_data(outcome);
        }
        let outcome = self.report(outcome);
        if let Phase::Handshake = self.phase {
            self.phase = Phase::Settled(inherited);
        }
        if !self.received_before.is_empty() {
            for mut entry in std::mem::take(&mut self.received_before) {
                inherited.apply(&mut entry);
                self.finish(store, None, Some(entry), now);
            }
        }
        if let Some(newest) = &mut self.received {
            inherited.apply(newest);
        }
        let newest = self.received.take();
        self.finish(store, outcome, newest, now);
    }

    /// Reports an outcome, the chosen group if it is new, and a session, to the store in one step.
    #[inline]
    fn finish(
        &mut self,
        store: &ClockedStore<S>,
        outcome: Option<Outcome>,
        mut session: Option<Entry<S>>,
        now: Timestamp,
    ) {
        if self.beside.is_some() {
            self.add_application_data(&mut session);
        }
        let hint = self.chosen_hint.take();
        if outcome.is_none() && hint.is_none() && session.is_none() {
            return;
        }
        self.known_hint = hint.or(self.known_hint);
        let store_core = store.store();
        let put = store_core.finish(&self.key, &self.begun, outcome, hint, session, now);
        // The store counts refusals; the next handshake is then a full one.
        if let Some(Ok(id)) = put {
            self.stored.push(id);
            // One id more than the store can hold: the oldest is then certainly not in memory, and
            // removing it makes the store revoke the server's sessions in the tier.
            if self.stored.len() > capacity(store).saturating_add(1) {
                self.stored.remove(0);
            }
        }
    }

    /// The server rejected the connection: the session that it offered, or resumed, is not good, and
    /// older ones may not be for the same reason.
    ///
    /// `answered`: the server has sent application data before, so it had accepted the connection.
    pub(super) fn alert_received(
        &mut self,
        store: &ClockedStore<S>,
        alert: Option<u8>,
        answered: bool,
    ) {
        let in_handshake = matches!(self.phase, Phase::Handshake);
        if in_handshake {
            self.fail(store, Outcome::of_alert(alert));
        } else if self.resumed().is_some() && !answered {
            self.finish(store, Some(Outcome::RejectedLate), None, store.now());
        }
        self.forget(store);
        if in_handshake && let Some(offered) = self.offered {
            store.store().remove_up_to(&self.key, offered.id);
        }
    }

    /// The transport ended before the server sent data. Soon after a resumption, it may be for the
    /// session; no session is removed, since the transport may have failed.
    pub(super) fn transport_ended(&mut self, store: &ClockedStore<S>) {
        let now = store.now();
        if self.resumed().is_some() && self.begun.is_recent(now) {
            self.finish(store, Some(Outcome::RejectedLate), None, now);
        }
    }

    pub(super) fn forget(&mut self, store: &ClockedStore<S>) {
        let resumed = self.resumed();
        self.hold_nothing();
        let stored = std::mem::take(&mut self.stored);
        for id in stored
            .into_iter()
            .chain(self.offered.and_then(Offered::reusable))
        {
            store.store().remove(&self.key, id);
        }
        if let Some(id) = resumed {
            store.store().remove_up_to(&self.key, id);
        }
    }

    /// The session that the connection resumed, unless it is forgotten.
    fn resumed(&self) -> Option<EntryId> {
        match &self.phase {
            Phase::Settled(inherited) => inherited.resumed,
            Phase::Handshake | Phase::Forgotten => None,
        }
    }

    /// Does nothing if the handshake is settled.
    /// `outcome`: if a session was offered.
    pub(super) fn cancel(&mut self, store: &ClockedStore<S>, outcome: Outcome) {
        if matches!(self.phase, Phase::Handshake) {
            // A reusable session that was offered stays in the store.
            self.hold_nothing();
            // One without a session was perhaps to show whether the server works, and did not.
            self.fail(store, outcome);
        }
    }

    fn hold_nothing(&mut self) {
        self.phase = Phase::Forgotten;
        self.received = None;
        self.received_before.clear();
        if let LookUp::Found(now, _) = self.look_up {
            self.look_up = LookUp::Made(now);
        }
    }

    pub(super) fn remove_offered(&self, store: &ClockedStore<S>) {
        let is_tls12 = |offered: &Offered| offered.protocol == Protocol::Tls12;
        if let Some(id) = self.offered.filter(is_tls12).and_then(Offered::reusable) {
            store.store().remove(&self.key, id);
        }
    }

    /// Removes a reusable ticket that the server declined: its keys are gone, unless another address has
    /// them.
    #[cold]
    fn remove_declined_ticket(&self, store: &ClockedStore<S>) {
        let is_own = !self.begun.is_of_other_address();
        let is_ticket = |offered: &Offered| offered.protocol == Protocol::Tls13 && is_own;
        if let Some(id) = self.offered.filter(is_ticket).and_then(Offered::reusable) {
            store.store().remove(&self.key, id);
        }
    }

    /// Ends a connection that is dropped. A handshake that is not settled has failed: the session
    /// that it offered is removed, and the older ones stay, since the transport may have failed.
    pub(super) fn end(&mut self, store: &ClockedStore<S>) {
        if matches!(self.phase, Phase::Handshake) {
            self.fail(store, Outcome::Failed);
            if let Some(id) = self.offered.and_then(Offered::reusable) {
                store.store().remove_from_memory(&self.key, id);
            }
            self.hold_nothing();
        }
    }

    /// Reports a handshake that failed or was cancelled, by `outcome` if a session was offered.
    fn fail(&mut self, store: &ClockedStore<S>, outcome: Outcome) {
        let outcome = match self.offered {
            Some(_) => outcome,
            None => Outcome::FullFailed,
        };
        let outcome = self.report(outcome);
        self.finish(store, outcome, None, store.now());
    }

    /// Makes the connection offer nothing.
    pub(super) fn offer_nothing(&mut self, store: &ClockedStore<S>) {
        self.look_up = LookUp::Made(store.now());
    }

    /// The outcome to report: the first one.
    fn report(&mut self, outcome: Outcome) -> Option<Outcome> {
        let reports = !std::mem::replace(&mut self.reported, true);
        reports.then_some(outcome)
    }
}

/// How many sessions of one connection the store can hold.
fn capacity<S: TlsSession>(store: &ClockedStore<S>) -> usize {
    let limits = store.store().limits();
    match limits.servers {
        0 => 0,
        _ => limits.sessions_per_server,
    }
}
