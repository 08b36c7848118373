//! The begin of a connection: what it looks up, and what it gets.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use crate::shard::Index;
use crate::{AddressId, Generation, Offer, Outcome, Timestamp, Usage};

/// Longer than a server takes to answer.
const LONG: Duration = Duration::from_secs(2);

/// The sessions that a look-up may return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Want {
    /// The newest single-use one, else a copy of the reusable one.
    Any,
    /// The newest single-use one.
    SingleUse,
    /// The newest single-use one, for a client that looks up the reusable one next, as rustls does:
    /// finding none is not yet a miss.
    SingleUseFirst,
    /// A copy of the reusable one.
    Reusable,
}

impl Want {
    /// Whether a look-up may return a session of this usage.
    #[inline]
    pub(crate) fn includes(self, usage: Usage) -> bool {
        match usage {
            Usage::SingleUse => self != Self::Reusable,
            Usage::Reusable => matches!(self, Self::Any | Self::Reusable),
        }
    }
}

/// A look-up of a connection: from a [`Want`], with what is known of the connection.
#[derive(Clone, Copy, Debug)]
pub struct LookUp {
    /// The sessions that it may return.
    pub want: Want,
    /// The address that the connection is made to; `None` if it is not known.
    pub address: Option<AddressId>,
    /// Whether the client will report how the handshake ends. One that cannot reports
    /// [`Outcome::Succeeded`] after each that succeeds, and the store infers which failed.
    pub reports: bool,
}

impl From<Want> for LookUp {
    /// A look-up whose client will report, for a connection to no address in particular.
    fn from(want: Want) -> Self {
        Self {
            want,
            address: None,
            reports: true,
        }
    }
}

impl LookUp {
    /// Whether it is the second one of its connection: a client that reports nothing looks up
    /// [single-use sessions first](Want::SingleUseFirst).
    pub(crate) fn is_second(self) -> bool {
        !self.reports && self.want == Want::Reusable
    }
}

/// The begin of a connection, which its end and the puts of its sessions refer to.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    pub(crate) generation: Generation,
    // Whether the key was looked up: its hash, and where its server is, unless it has moved.
    pub(crate) is_looked_up: bool,
    pub(crate) hash: u64,
    pub(crate) index: Index,
    // The time of the look-up; never, if the key was not looked up.
    pub(crate) at: Timestamp,
    // Whether it shows if the server is to be avoided.
    pub(crate) is_doubtful: bool,
    // The reusable session that was returned.
    pub(crate) reusable: Option<NonZeroU64>,
    // The address that the connection is made to, and the other one that gave the session returned.
    pub(crate) address: Option<AddressId>,
    pub(crate) other_address: Option<AddressId>,
}

impl Begun {
    /// The generation of the store in which the connection began.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The address that the connection is made to, if it is known.
    pub fn address(&self) -> Option<AddressId> {
        self.address
    }

    /// The same for a connection to this address.
    #[must_use]
    pub fn at(self, address: Option<AddressId>) -> Self {
        Self { address, ..self }
    }

    /// Whether the session that was returned came from another address of the server, as far as both are
    /// known. If it is declined, it may be good at its own.
    pub fn is_of_other_address(&self) -> bool {
        self.other_address.is_some()
    }

    /// Whether the look-up was less than 2 seconds ago.
    pub fn is_recent(&self, now: Timestamp) -> bool {
        self.age(now).is_some_and(|age| age < LONG)
    }

    /// What a handshake with this outcome shows of the server: an application that waits for long, and
    /// then gives up, tells of a failure.
    pub(crate) fn shows(&self, outcome: Outcome, now: Timestamp) -> Outcome {
        if outcome == Outcome::Cancelled && self.age(now) >= Some(LONG) {
            Outcome::Failed
        } else {
            outcome
        }
    }

    /// The time since the look-up; `None` without one, or if the clock was set back.
    fn age(&self, now: Timestamp) -> Option<Duration> {
        now.since(self.at)
    }

    /// The same for a connection that began before its look-up, in `generation`.
    #[inline]
    #[must_use]
    pub fn since(self, generation: Generation) -> Self {
        let generation = self.generation.min(generation);
        Self { generation, ..self }
    }
}

impl From<Generation> for Begun {
    fn from(generation: Generation) -> Self {
        Self {
            generation,
            is_looked_up: false,
            hash: 0,
            index: Index::NONE,
            at: Timestamp::NEVER,
            is_doubtful: false,
            reusable: None,
            address: None,
            other_address: None,
        }
    }
}

/// What a connection needs to begin.
pub struct Start<S> {
    /// Refers to this begin, at the end of the connection.
    pub begun: Begun,
    /// The key-exchange group that the server chose last (a TLS `NamedGroup`).
    pub hint: Option<u16>,
    /// The session to offer.
    pub offer: Option<Offer<S>>,
    /// Whether there is none because earlier handshakes with a session failed, or were often
    /// declined.
    pub avoided: bool,
}

impl<S> fmt::Debug for Start<S> {
    /// Leaves the session out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("begun", &self.begun)
            .field("hint", &self.hint)
            .field("offer", &self.offer)
            .field("avoided", &self.avoided)
            .finish()
    }
}
