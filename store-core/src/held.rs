//! A stored session with its facts.

use std::sync::Arc;
use std::time::Duration;

use crate::{Entry, EntryId, Offer, Timestamp, Usage};

/// How far the clock may go back before stored sessions count as from the future.
const CLOCK_BACK: Duration = Duration::from_secs(1);

/// A stored session with its facts; `Held<()>` are the facts alone.
pub(crate) struct Held<S> {
    pub(crate) id: EntryId,
    pub(crate) session: S,
    pub(crate) established: Timestamp,
    pub(crate) received: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) weight: usize,
}

/// A session found by a look-up.
pub(crate) enum Found<S> {
    SingleUse(Held<S>),
    Reusable(Arc<Held<S>>),
}

/// Numbers of sessions that an operation dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    pub(crate) expired: u64,
    pub(crate) evicted: u64,
    pub(crate) replaced: u64,
}

impl<S> Held<S> {
    /// The same facts with another form of the session.
    pub(crate) fn with_session<T>(&self, session: T) -> Held<T> {
        Held {
            id: self.id,
            session,
            established: self.established,
            received: self.received,
            expires: self.expires,
            weight: self.weight,
        }
    }

    pub(crate) fn into_offer(self, usage: Usage) -> Offer<S> {
        Offer {
            id: self.id,
            entry: Entry {
                session: self.session,
                usage,
                established: self.established,
                expires: self.expires,
                weight: self.weight,
            },
        }
    }

    pub(crate) fn is_valid(&self, now: Timestamp) -> bool {
        now < self.expires && self.received <= now.after(CLOCK_BACK)
    }
}

impl<S> Held<Option<S>> {
    /// `None` if the session is being packed.
    pub(crate) fn into_present(self) -> Option<Held<S>> {
        let Self {
            id,
            session,
            established,
            received,
            expires,
            weight,
        } = self;
        session.map(|session| Held {
            id,
            session,
            established,
            received,
            expires,
            weight,
        })
    }
}
