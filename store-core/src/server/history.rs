//! What happened when sessions were offered to a server, and whether to offer another.

use std::time::Duration;

use crate::tier::Standing;
use crate::{LookUp, Outcome, Timestamp};

/// How long a server is avoided the first time. Each further time takes twice as long.
const AVOIDED: Duration = Duration::from_secs(10 * 60);
/// The longest time that a server is avoided.
const LONGEST_AVOIDED: Duration = Duration::from_secs(24 * 60 * 60);
/// The same where failures are inferred, and may be errors.
const AVOIDED_UNREPORTED: Duration = Duration::from_secs(60);
const LONGEST_AVOIDED_UNREPORTED: Duration = Duration::from_secs(10 * 60);
/// An offer that is tried again has failed if nothing is heard of it for so long.
const TRIED: Duration = Duration::from_secs(60);
/// A server that rejects two resumed handshakes within this time, after their end, is avoided.
const REJECTED_LATE: Duration = Duration::from_secs(60 * 60);
/// After so many declined offers in a row, one connection in [`SELDOM`] offers a session.
const OFTEN_DECLINED: u8 = 8;
const SELDOM: u8 = 16;
/// A reusable session that was declined so often, and not replaced, is dropped.
const DECLINED_REUSABLE: u8 = 2;
/// Within how many milliseconds a handshake that succeeds has ended: by default, at least and at
/// most; measured, four times as many as the last one took.
const ANSWER: u16 = 1_000;
const SHORTEST_ANSWER: u16 = 200;
const LONGEST_ANSWER: u16 = 2_000;

/// What happened when sessions were offered to a server.
///
/// After an offer that failed, the next connection offers nothing: it shows whether the server works
/// at all. Only a server that fails whenever a session is offered, and works otherwise, is avoided:
/// a server that is down for a while keeps its sessions.
///
/// Clients that report no outcomes tell of handshakes that succeed, without saying which. An offer
/// is then taken for failed when nothing has succeeded for as long as handshakes with the server
/// take, and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct History {
    // invariant: whether there is nothing that the next connection has to regard; each handshake asks
    plain: bool,
    state: State,
    // When the state began, or until when the server is avoided.
    at: Timestamp,
    // How often the server was avoided since a session was last resumed.
    times_avoided: u8,
    // Whether a handshake without a session has succeeded since the failure for which the server is
    // avoided.
    rested: bool,
    // Offers declined in a row, and look-ups since.
    declined: u8,
    lookups: u8,
    // How often the reusable session was declined, and not replaced.
    reusable_declined: u8,
    // Of clients that report nothing: since when an offer has no answer (the epoch: none has), and
    // the connections without an offer that have none.
    unanswered: Timestamp,
    withheld: u8,
    // Since when the only connection in progress is (the epoch: there are several, or none).
    alone: Timestamp,
    // In milliseconds.
    answer: u16,
    // When a resumed handshake was last rejected after its end (the epoch: never).
    rejected_late: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing speaks against an offer.
    Good,
    /// An offer failed. `surely` if the server says that the reason is its own.
    Failed { surely: bool },
    /// As [`Failed`](Self::Failed); a connection without an offer is on its way.
    Tested { surely: bool },
    /// An offer failed, and a full handshake succeeded.
    Doubtful,
    /// Offers fail, and full handshakes succeed.
    Avoided,
    /// As [`Avoided`](Self::Avoided); an offer is on its way.
    Tried,
}

impl Default for History {
    fn default() -> Self {
        Self {
            plain: true,
            state: State::Good,
            at: Timestamp::EPOCH,
            times_avoided: 0,
            rested: false,
            declined: 0,
            lookups: 0,
            reusable_declined: 0,
            unanswered: Timestamp::EPOCH,
            withheld: 0,
            alone: Timestamp::EPOCH,
            answer: ANSWER,
            rejected_late: Timestamp::EPOCH,
        }
    }
}

impl History {
    /// Whether there is nothing that the next connection has to regard.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Restores the invariant of `plain` after a change.
    fn changed(&mut self) {
        self.plain = self.state == State::Good
            && self.declined == 0
            && self.reusable_declined == 0
            && self.unanswered == Timestamp::EPOCH;
    }

    /// Whether an offer made now shows whether the server is to be avoided.
    #[inline]
    pub(crate) fn is_doubtful(&self) -> bool {
        matches!(self.state, State::Doubtful | State::Avoided | State::Tried)
    }

    /// Whether the connection that begins at `now` may offer a session.
    #[cold]
    pub(crate) fn may_offer(&mut self, look_up: LookUp, now: Timestamp) -> bool {
        let may_offer = self.decide(look_up, now);
        self.changed();
        may_offer
    }

    fn decide(&mut self, look_up: LookUp, now: Timestamp) -> bool {
        let is_second = look_up.is_second();
        if !look_up.reports {
            if !is_second {
                self.begin_unreported(now);
            }
            if self.waits(now) {
                self.withheld = self.withheld.saturating_add(u8::from(!is_second));
                return false;
            }
        }
        let may_offer = match self.state {
            State::Failed { .. } | State::Tested { .. } if is_second => false,
            State::Failed { surely } => {
                (self.state, self.at) = (State::Tested { surely }, now);
                false
            }
            State::Tested { .. } if has_passed(self.answer(), self.at, now) => {
                self.at = now;
                false
            }
            State::Good | State::Doubtful | State::Tested { .. } => true,
            // Even when the time is over, two connections in a row would fail otherwise: those of a
            // client that connects seldom.
            State::Avoided if !self.rested => false,
            State::Avoided => now >= self.at || self.at > now.after(LONGEST_AVOIDED),
            State::Tried => has_passed(TRIED, self.at, now),
        };
        if may_offer && self.declined >= OFTEN_DECLINED && !is_second {
            self.lookups = self.lookups.wrapping_add(1);
            return self.lookups.is_multiple_of(SELDOM);
        }
        may_offer
    }

    /// A session is offered.
    #[inline]
    pub(crate) fn offered(&mut self, look_up: LookUp, now: Timestamp) {
        if self.state == State::Avoided {
            (self.state, self.at) = (State::Tried, now);
        }
        if !look_up.reports && self.unanswered == Timestamp::EPOCH {
            (self.unanswered, self.withheld) = (now, 0);
        }
        self.changed();
    }

    /// A session of another address was declined, which shows only that both do not share keys: nothing
    /// against offers, and nothing for them.
    pub(crate) fn declined_elsewhere(&mut self) {
        let (declined, reusable_declined) = (self.declined, self.reusable_declined);
        self.forget();
        (self.declined, self.reusable_declined) = (declined, reusable_declined);
        self.changed();
    }

    /// A handshake with the server ended. `began_doubtful`: it began when the history was
    /// [doubtful](Self::is_doubtful).
    pub(crate) fn ended(&mut self, outcome: Outcome, began_doubtful: bool, now: Timestamp) {
        match outcome {
            Outcome::Resumed => self.forget(),
            Outcome::Declined => {
                self.declined_elsewhere();
                self.declined = self.declined.saturating_add(1);
            }
            Outcome::Failed | Outcome::Rejected | Outcome::Distrusted => {
                self.fail(false, began_doubtful, now);
            }
            Outcome::Broken => self.fail(true, began_doubtful, now),
            Outcome::RejectedLate => self.reject_late(now),
            Outcome::Full => self.work(now),
            Outcome::Succeeded => self.succeed(now),
            Outcome::FullFailed => {
                // It fails without a session, too.
                if let State::Failed { .. } | State::Tested { .. } = self.state {
                    self.state = State::Failed { surely: false };
                }
            }
            Outcome::Cancelled => {
                if self.state == State::Tried && began_doubtful {
                    (self.state, self.at) = (State::Avoided, now);
                }
            }
        }
        self.changed();
    }

    /// What other processes are told.
    pub(crate) fn standing(&self) -> Standing {
        match self.state {
            State::Good => Standing::Good,
            State::Failed { .. } | State::Tested { .. } => Standing::Failed,
            State::Doubtful => Standing::Doubtful,
            State::Avoided | State::Tried => Standing::Avoided {
                until: self.at,
                times: self.times_avoided,
                rested: self.rested,
            },
        }
    }

    /// What another process tells. That the server said why an offer failed is left out: a full handshake
    /// here, later, would be enough to avoid it.
    pub(crate) fn told(standing: Standing) -> Self {
        let mut history = Self::default();
        match standing {
            Standing::Good => {}
            Standing::Failed => history.state = State::Failed { surely: false },
            Standing::Doubtful => history.state = State::Doubtful,
            Standing::Avoided {
                until,
                times,
                rested,
            } => {
                history.state = State::Avoided;
                (history.at, history.times_avoided, history.rested) = (until, times, rested);
            }
        }
        history.changed();
        history
    }

    /// A reusable session was declined, and the server gave no other. Returns whether to drop it.
    pub(crate) fn declined_reusable(&mut self) -> bool {
        self.reusable_declined += 1;
        let drops = self.reusable_declined >= DECLINED_REUSABLE;
        if drops {
            self.reusable_declined = 0;
        }
        self.changed();
        drops
    }

    /// A reusable session is stored.
    #[inline]
    pub(crate) fn stored_reusable(&mut self) {
        if self.reusable_declined > 0 {
            self.reusable_declined = 0;
            self.changed();
        }
    }

    /// All but how long handshakes take, and what may follow a resumed one.
    fn forget(&mut self) {
        *self = Self {
            answer: self.answer,
            rejected_late: self.rejected_late,
            ..Self::default()
        };
    }

    fn answer(&self) -> Duration {
        Duration::from_millis(self.answer.into())
    }

    /// A connection begins that will not be reported.
    fn begin_unreported(&mut self, now: Timestamp) {
        let is_first = self.alone == Timestamp::EPOCH && self.unanswered == Timestamp::EPOCH;
        self.alone = if is_first { now } else { Timestamp::EPOCH };
    }

    /// Whether an offer has no answer, so that the next connection offers nothing. Takes it for
    /// failed when it has had none for long enough.
    fn waits(&mut self, now: Timestamp) -> bool {
        let has_none = |times| {
            self.unanswered != Timestamp::EPOCH
                && has_passed(self.answer() * times, self.unanswered, now)
        };
        match self.state {
            State::Good if has_none(1) => {}
            State::Doubtful | State::Tried if has_none(4) => {}
            State::Doubtful | State::Tried => return has_none(1),
            _ => return false,
        }
        (self.unanswered, self.withheld) = (Timestamp::EPOCH, 0);
        match self.state {
            State::Good => self.state = State::Failed { surely: false },
            _ => self.avoid(AVOIDED_UNREPORTED, LONGEST_AVOIDED_UNREPORTED, now),
        }
        false
    }

    fn fail(&mut self, surely: bool, began_doubtful: bool, now: Timestamp) {
        match self.state {
            State::Good => self.state = State::Failed { surely },
            State::Failed { surely: before } | State::Tested { surely: before } => {
                let surely = surely || before;
                self.state = State::Failed { surely };
            }
            State::Doubtful | State::Tried if began_doubtful => {
                self.avoid(AVOIDED, LONGEST_AVOIDED, now);
            }
            // Offered before.
            State::Doubtful | State::Tried | State::Avoided => {}
        }
    }

    /// A resumed handshake, which counted as a success, was rejected after its end. No success after it
    /// shows that the next one will not be.
    fn reject_late(&mut self, now: Timestamp) {
        let again = self.rejected_late != Timestamp::EPOCH
            && !has_passed(REJECTED_LATE, self.rejected_late, now);
        self.rejected_late = now;
        if again {
            self.avoid(AVOIDED, LONGEST_AVOIDED, now);
        } else if self.state == State::Good {
            self.state = State::Failed { surely: false };
        }
    }

    /// A handshake succeeded, of a client that does not report whether a session was offered.
    fn succeed(&mut self, now: Timestamp) {
        if self.alone != Timestamp::EPOCH
            && let Some(took) = now.since(self.alone)
        {
            let answer = u16::try_from(took.as_millis() * 4).unwrap_or(LONGEST_ANSWER);
            self.answer = answer.clamp(SHORTEST_ANSWER, LONGEST_ANSWER);
        }
        self.alone = Timestamp::EPOCH;
        match self.state {
            State::Failed { .. } | State::Tested { .. } => {
                self.unanswered = Timestamp::EPOCH;
                self.work(now);
            }
            State::Avoided => self.rested = true,
            _ if self.withheld > 0 => self.withheld -= 1,
            State::Good | State::Doubtful | State::Tried => self.forget(),
        }
    }

    /// A full handshake succeeded.
    fn work(&mut self, now: Timestamp) {
        match self.state {
            State::Failed { surely: true } | State::Tested { surely: true } => {
                self.avoid(AVOIDED, LONGEST_AVOIDED, now);
                self.rested = true;
            }
            State::Failed { surely: false } | State::Tested { surely: false } => {
                self.state = State::Doubtful;
            }
            State::Avoided => self.rested = true,
            State::Good | State::Doubtful | State::Tried => {}
        }
    }

    fn avoid(&mut self, first: Duration, longest: Duration, now: Timestamp) {
        let times = 1 << u32::from(self.times_avoided).min(8);
        self.times_avoided = self.times_avoided.saturating_add(1);
        self.state = State::Avoided;
        self.rested = false;
        self.at = now.after((first * times).min(longest));
    }
}

/// Whether `duration` has passed since `since`; also if the clock went back.
fn has_passed(duration: Duration, since: Timestamp, now: Timestamp) -> bool {
    now < since || now >= since.after(duration)
}

#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;
