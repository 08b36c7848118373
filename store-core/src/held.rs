//! A session in its place, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use crate::server::Server;
use crate::{Entry, EntryId, Offer, Timestamp, Usage};

/// How far a clock may go back before sessions count as "from the future".
const CLOCK_BACK: Duration = Duration::from_secs(1);

/// A session in its place, with the facts that decide over it.
pub(crate) struct Held<S> {
    pub(crate) id: EntryId,
    pub(crate) session: S,
    pub(crate) established: Timestamp,
    pub(crate) received: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) weight: usize,
}

/// Something to be dropped, and wiped by its drop, once no lock is held.
#[allow(dead_code, reason = "the values are here to be dropped")]
pub(crate) enum Dropped<S> {
    Session(S),
    Shared(Arc<Held<S>>),
    Server(Server<S>),
}

/// A session found for a connection.
pub(crate) enum Found<S> {
    SingleUse(Held<S>),
    Reusable(Arc<Held<S>>),
}

/// What a visit dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    pub(crate) expired: u64,
    pub(crate) evicted: u64,
    pub(crate) replaced: u64,
}

impl<S> Held<S> {
    /// The same facts of another form of the session.
    pub(crate) fn with<T>(&self, session: T) -> Held<T> {
        Held {
            id: self.id,
            session,
            established: self.established,
            received: self.received,
            expires: self.expires,
            weight: self.weight,
        }
    }

    /// What a connection gets of it.
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
    /// The session, if it is here.
    pub(crate) fn here(self) -> Option<Held<S>> {
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
