//! The state of one connection: the sessions that it offered, received and stored.

use std::collections::VecDeque;

use smallvec::SmallVec;
use store_core::{Entry, EntryId, Offer, Outcome, Timestamp, Usage};

/// The state of one connection. It calls nothing, and returns sessions that are to be dropped, so
/// that its caller drops them after releasing the lock.
pub(super) struct Progress<S> {
    phase: Phase<S>,
    look_up: LookUp<S>,
    offered: Option<Offered>,
    /// Whether the outcome of the offered session was reported.
    reported: bool,
    /// The ids of stored sessions, oldest first: at most one more than the store can hold.
    stored: SmallVec<[EntryId; 4]>,
    tickets: usize,
    max_early_data: Option<u32>,
}

impl<S> Default for Progress<S> {
    fn default() -> Self {
        Self {
            phase: Phase::Handshake(VecDeque::new()),
            look_up: LookUp::NotMade,
            offered: None,
            reported: false,
            stored: SmallVec::new(),
            tickets: 0,
            max_early_data: None,
        }
    }
}

enum Phase<S> {
    /// The handshake is not settled: holds the sessions received, oldest first.
    Handshake(VecDeque<Entry<S>>),
    /// The handshake succeeded.
    Settled(Inherited),
    /// Revoked by `forget` or cancelled: nothing more is stored.
    Forgotten,
}

/// The result of the look-up that rustls's call for a TLS 1.3 ticket made, kept for its later call
/// for a TLS 1.2 session.
pub(super) enum LookUp<S> {
    NotMade,
    Nothing,
    Found(Offer<S>),
}

impl<S> From<Option<Offer<S>>> for LookUp<S> {
    fn from(offer: Option<Offer<S>>) -> Self {
        offer.map_or(Self::Nothing, Self::Found)
    }
}

/// The reusable session of the kept look-up.
pub(super) enum ReusableLookup<S> {
    /// A session, now recorded as offered.
    Found(S),
    Nothing,
    /// No look-up was made yet.
    NotMade,
}

/// What the sessions of a settled handshake inherit.
#[derive(Clone, Copy)]
struct Inherited {
    /// The session that was resumed, if any.
    resumed: Option<EntryId>,
    /// The time of the full handshake.
    established: Timestamp,
    /// The latest expiry of a TLS 1.2 session. After a resumed handshake rustls stores the same
    /// session again, with a lifetime that may be 0, "unspecified" (rustls issue 657).
    reusable_until: Timestamp,
}

impl Inherited {
    fn apply<S>(self, entry: &mut Entry<S>) {
        if entry.usage == Usage::Reusable {
            entry.expires = entry.expires.min(self.reusable_until);
        }
        entry.established = self.established;
    }
}

/// A session that was given to rustls.
#[derive(Clone, Copy)]
pub(super) struct Offered {
    id: EntryId,
    usage: Usage,
    established: Timestamp,
    expires: Timestamp,
}

impl Offered {
    pub(super) fn new<S>(offer: &Offer<S>) -> Self {
        let Offer { id, entry } = offer;
        Self {
            id: *id,
            usage: entry.usage,
            established: entry.established,
            expires: entry.expires,
        }
    }

    /// The id of a reusable session, which can still be in the store.
    pub(super) fn reusable(self) -> Option<EntryId> {
        (self.usage == Usage::Reusable).then_some(self.id)
    }
}

/// What to do with a session that was received.
pub(super) enum Received<S> {
    Store(Entry<S>),
    Drop(Option<Entry<S>>),
}

/// What to report and to store when a handshake has succeeded.
pub(super) struct Settled<S> {
    pub(super) outcome: Option<Outcome>,
    pub(super) received: VecDeque<Entry<S>>,
}

/// What to remove from the store, and the held sessions, to drop after the lock is released.
pub(super) struct Forgotten<S> {
    pub(super) stored: SmallVec<[EntryId; 4]>,
    _held: Phase<S>,
    _look_up: LookUp<S>,
}

/// What to report and to remove when a connection is dropped.
pub(super) struct Dropped {
    pub(super) outcome: Option<Outcome>,
    pub(super) remove_up_to: Option<EntryId>,
}

impl<S> Progress<S> {
    pub(super) fn offered(&self) -> Option<Offered> {
        self.offered
    }

    pub(super) fn tickets(&self) -> usize {
        self.tickets
    }

    pub(super) fn max_early_data(&self) -> Option<u32> {
        self.max_early_data
    }

    /// Whether a session may be offered: once, and before the handshake is settled.
    pub(super) fn may_offer(&self) -> bool {
        self.offered.is_none() && matches!(self.phase, Phase::Handshake(_))
    }

    pub(super) fn set_offered(&mut self, offered: Offered) {
        self.offered = Some(offered);
    }

    /// Replaces the kept look-up, and returns the one before.
    pub(super) fn replace_look_up(&mut self, look_up: LookUp<S>) -> LookUp<S> {
        std::mem::replace(&mut self.look_up, look_up)
    }

    /// Takes the reusable session of the kept look-up.
    pub(super) fn hand_out_reusable(&mut self) -> ReusableLookup<S> {
        if !self.may_offer() {
            return ReusableLookup::Nothing;
        }
        match self.replace_look_up(LookUp::NotMade) {
            LookUp::Found(offer) => {
                self.set_offered(Offered::new(&offer));
                ReusableLookup::Found(offer.entry.session)
            }
            LookUp::Nothing => ReusableLookup::Nothing,
            LookUp::NotMade => ReusableLookup::NotMade,
        }
    }

    /// Takes a received session. Until the handshake is settled, the newest `capacity` are held.
    pub(super) fn receive(
        &mut self,
        mut entry: Entry<S>,
        early_data: Option<u32>,
        capacity: usize,
    ) -> Received<S> {
        self.tickets = self.tickets.saturating_add(1);
        self.max_early_data = self.max_early_data.max(early_data);
        match &mut self.phase {
            Phase::Handshake(held) => {
                if held.is_empty() {
                    // Most servers send two tickets.
                    held.reserve_exact(2);
                }
                held.push_back(entry);
                Received::Drop(if held.len() > capacity {
                    held.pop_front()
                } else {
                    None
                })
            }
            Phase::Settled(inherited) => {
                inherited.apply(&mut entry);
                Received::Store(entry)
            }
            Phase::Forgotten => Received::Drop(Some(entry)),
        }
    }

    /// Ends a handshake that succeeded, resumed or full.
    pub(super) fn settle(&mut self, resumed: bool, now: Timestamp) -> Settled<S> {
        let nothing = VecDeque::new();
        if matches!(self.phase, Phase::Settled(_)) {
            return Settled {
                outcome: None,
                received: nothing,
            };
        }
        let resumed = self.offered.filter(|_| resumed);
        let outcome = match resumed {
            Some(_) => Outcome::Resumed,
            None => Outcome::Declined,
        };
        let inherited = Inherited {
            resumed: resumed.map(|offered| offered.id),
            established: resumed.map_or(now, |offered| offered.established),
            reusable_until: resumed.map_or(Timestamp::NEVER, |offered| offered.expires),
        };
        let outcome = self.report(outcome);
        if matches!(self.phase, Phase::Forgotten) {
            return Settled {
                outcome,
                received: nothing,
            };
        }
        let mut received = match std::mem::replace(&mut self.phase, Phase::Settled(inherited)) {
            Phase::Handshake(held) => held,
            Phase::Settled(_) | Phase::Forgotten => nothing,
        };
        for entry in &mut received {
            inherited.apply(entry);
        }
        Settled { outcome, received }
    }

    /// The session that the handshake resumed.
    pub(super) fn resumed(&self) -> Option<EntryId> {
        match &self.phase {
            Phase::Settled(inherited) => inherited.resumed,
            Phase::Handshake(_) | Phase::Forgotten => None,
        }
    }

    /// Records a stored session, of which the newest `capacity` are kept. `false` if the connection
    /// was forgotten: the session is to be removed again.
    pub(super) fn remember(&mut self, id: EntryId, capacity: usize) -> bool {
        if matches!(self.phase, Phase::Forgotten) {
            return false;
        }
        self.stored.push(id);
        if self.stored.len() > capacity {
            self.stored.remove(0);
        }
        true
    }

    /// Revokes what the connection stored, and the reusable session that it offered.
    pub(super) fn forget(&mut self) -> Forgotten<S> {
        let mut stored = std::mem::take(&mut self.stored);
        stored.extend(self.offered.and_then(Offered::reusable));
        Forgotten {
            stored,
            _held: std::mem::replace(&mut self.phase, Phase::Forgotten),
            _look_up: self.replace_look_up(LookUp::NotMade),
        }
    }

    /// Ends a handshake that the application abandons. Does nothing if it is settled.
    pub(super) fn cancel(&mut self) -> (Option<Outcome>, Option<Forgotten<S>>) {
        if !matches!(self.phase, Phase::Handshake(_)) {
            return (None, None);
        }
        // A reusable session that was offered stays in the store.
        let forgotten = Forgotten {
            stored: SmallVec::new(),
            _held: std::mem::replace(&mut self.phase, Phase::Forgotten),
            _look_up: self.replace_look_up(LookUp::NotMade),
        };
        (self.report(Outcome::Cancelled), Some(forgotten))
    }

    /// Ends a connection that is dropped. A handshake that is not settled has failed.
    pub(super) fn end(&mut self) -> Dropped {
        let remove_up_to = match self.phase {
            Phase::Handshake(_) => self.offered.map(|offered| offered.id),
            Phase::Settled(_) | Phase::Forgotten => None,
        };
        let outcome = self.report(Outcome::Failed);
        Dropped {
            outcome,
            remove_up_to,
        }
    }

    /// The outcome to report: the first one, if a session was offered.
    fn report(&mut self, outcome: Outcome) -> Option<Outcome> {
        if self.offered.is_none() || self.reported {
            return None;
        }
        self.reported = true;
        Some(outcome)
    }
}
