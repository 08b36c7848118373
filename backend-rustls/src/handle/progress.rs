//! How far a connection has come: what it was offered, what it received, what it stored.

use std::collections::VecDeque;

use smallvec::SmallVec;
use store_core::{Entry, EntryId, Offer, Outcome, Timestamp, Usage};

/// The state of one connection, without a lock: it calls nothing, and hands what is to be dropped
/// to its caller, who drops it after the lock.
pub(super) struct Progress<S> {
    phase: Phase<S>,
    look_up: LookUp<S>,
    offered: Option<Offered>,
    /// Whether the outcome of an offer has been reported.
    reported: bool,
    // Oldest first; only as many as the store can still hold.
    stored: SmallVec<[EntryId; 4]>,
    tickets: usize,
    early_data_max: Option<u32>,
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
            early_data_max: None,
        }
    }
}

enum Phase<S> {
    /// The handshake is under way, or nobody has said how it ended: received sessions wait, the
    /// oldest first.
    Handshake(VecDeque<Entry<S>>),
    Settled(Origin),
    Forgotten,
}

/// What the look-up that rustls starts with found for the version that it asks for second.
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

/// What there is for rustls when it asks a second time.
pub(super) enum Claim<S> {
    /// A session; it is noted that it was handed out.
    Found(S),
    Nothing,
    /// Nobody has looked yet.
    LookUp,
}

/// What a connection's sessions descend from.
#[derive(Clone, Copy)]
struct Origin {
    /// The session that was resumed, if one was.
    resumed: Option<EntryId>,
    /// When the full handshake was.
    established: Timestamp,
    /// A TLS 1.2 session lives no longer than this. After a resumed handshake rustls stores the
    /// same session again, with a lifetime that may be 0, "unspecified" (rustls issue 657).
    reusable_until: Timestamp,
}

impl Origin {
    fn apply<S>(self, entry: &mut Entry<S>) {
        if entry.usage == Usage::Reusable {
            entry.expires = entry.expires.min(self.reusable_until);
        }
        entry.established = self.established;
    }
}

/// A session that was handed to rustls.
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

    /// Its identity, if it can still be in the store.
    pub(super) fn reusable(self) -> Option<EntryId> {
        (self.usage == Usage::Reusable).then_some(self.id)
    }
}

/// What to do with a session that came in.
pub(super) enum Next<S> {
    Store(Entry<S>),
    Drop(Option<Entry<S>>),
}

/// What is to be done when a handshake has succeeded.
pub(super) struct Settled<S> {
    pub(super) outcome: Option<Outcome>,
    pub(super) received: VecDeque<Entry<S>>,
}

/// What is to be removed from the store, with what was never in it.
pub(super) struct Forgotten<S> {
    pub(super) stored: SmallVec<[EntryId; 4]>,
    _waiting: Phase<S>,
    _look_up: LookUp<S>,
}

/// What is to be done when a connection is dropped.
pub(super) struct Abandoned {
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
        self.early_data_max
    }

    /// Whether a session may be handed out: once, and before the handshake is over.
    pub(super) fn may_offer(&self) -> bool {
        self.offered.is_none() && matches!(self.phase, Phase::Handshake(_))
    }

    pub(super) fn hand_out(&mut self, offered: Offered) {
        self.offered = Some(offered);
    }

    /// Keeps what a look-up found for the other version of TLS, or takes what is kept. Gives back
    /// what was there.
    pub(super) fn swap_look_up(&mut self, look_up: LookUp<S>) -> LookUp<S> {
        std::mem::replace(&mut self.look_up, look_up)
    }

    /// What the look-up for the other version of TLS found for this one.
    pub(super) fn claim(&mut self) -> Claim<S> {
        if !self.may_offer() {
            return Claim::Nothing;
        }
        match self.swap_look_up(LookUp::NotMade) {
            LookUp::Found(offer) => {
                self.hand_out(Offered::new(&offer));
                Claim::Found(offer.entry.session)
            }
            LookUp::Nothing => Claim::Nothing,
            LookUp::NotMade => Claim::LookUp,
        }
    }

    /// A session came in. At most `room` wait for the end of the handshake, the newest.
    pub(super) fn receive(
        &mut self,
        mut entry: Entry<S>,
        early_data: Option<u32>,
        room: usize,
    ) -> Next<S> {
        self.tickets = self.tickets.saturating_add(1);
        self.early_data_max = self.early_data_max.max(early_data);
        match &mut self.phase {
            Phase::Handshake(waiting) => {
                if waiting.is_empty() {
                    // As many as most servers give.
                    waiting.reserve_exact(2);
                }
                waiting.push_back(entry);
                Next::Drop(if waiting.len() > room {
                    waiting.pop_front()
                } else {
                    None
                })
            }
            Phase::Settled(origin) => {
                origin.apply(&mut entry);
                Next::Store(entry)
            }
            Phase::Forgotten => Next::Drop(Some(entry)),
        }
    }

    /// The handshake succeeded: `resumed`, or in full.
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
        let origin = Origin {
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
        let mut received = match std::mem::replace(&mut self.phase, Phase::Settled(origin)) {
            Phase::Handshake(waiting) => waiting,
            Phase::Settled(_) | Phase::Forgotten => nothing,
        };
        for entry in &mut received {
            origin.apply(entry);
        }
        Settled { outcome, received }
    }

    /// The session that the handshake resumed.
    pub(super) fn resumed(&self) -> Option<EntryId> {
        match &self.phase {
            Phase::Settled(origin) => origin.resumed,
            Phase::Handshake(_) | Phase::Forgotten => None,
        }
    }

    /// Remembers what was stored, at most the newest `room`. `false` if it has to go again.
    pub(super) fn remember(&mut self, id: EntryId, room: usize) -> bool {
        if matches!(self.phase, Phase::Forgotten) {
            return false;
        }
        self.stored.push(id);
        if self.stored.len() > room {
            self.stored.remove(0);
        }
        true
    }

    /// Nothing of this connection is to stay.
    pub(super) fn forget(&mut self) -> Forgotten<S> {
        let mut stored = std::mem::take(&mut self.stored);
        stored.extend(self.offered.and_then(Offered::reusable));
        Forgotten {
            stored,
            _waiting: std::mem::replace(&mut self.phase, Phase::Forgotten),
            _look_up: self.swap_look_up(LookUp::NotMade),
        }
    }

    /// The application gives the handshake up, if it is under way: nobody has said that it would not
    /// have succeeded.
    pub(super) fn cancel(&mut self) -> (Option<Outcome>, Option<Forgotten<S>>) {
        if !matches!(self.phase, Phase::Handshake(_)) {
            return (None, None);
        }
        // What was offered stays where it is if it is reusable.
        let forgotten = Forgotten {
            stored: SmallVec::new(),
            _waiting: std::mem::replace(&mut self.phase, Phase::Forgotten),
            _look_up: self.swap_look_up(LookUp::NotMade),
        };
        (self.report(Outcome::Cancelled), Some(forgotten))
    }

    /// The connection is no more. If nobody has said that its handshake succeeded, it failed.
    pub(super) fn abandon(&mut self) -> Abandoned {
        let remove_up_to = match self.phase {
            Phase::Handshake(_) => self.offered.map(|offered| offered.id),
            Phase::Settled(_) | Phase::Forgotten => None,
        };
        let outcome = self.report(Outcome::Failed);
        Abandoned {
            outcome,
            remove_up_to,
        }
    }

    /// The outcome of an offer, the first time.
    fn report(&mut self, outcome: Outcome) -> Option<Outcome> {
        if self.offered.is_none() || self.reported {
            return None;
        }
        self.reported = true;
        Some(outcome)
    }
}
