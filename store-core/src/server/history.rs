//! What happened when sessions were offered to a server, and whether to offer another.

use std::time::Duration;

use crate::clock::Millis;
use crate::{Outcome, Timestamp, Want};

const MINUTE: Duration = Duration::from_secs(60);
/// How long a server is avoided the first time. Each further time takes twice as long.
const AVOIDED: Duration = Duration::from_secs(10 * 60);
/// The longest time that a server is avoided.
const LONGEST_AVOIDED: Duration = Duration::from_secs(24 * 60 * 60);
/// A handshake usually takes less. One that has not ended by then may have failed.
const ANSWER: Duration = Duration::from_millis(200);
/// After so many declined offers in a row, one connection in [`SELDOM`] offers a session.
const OFTEN_DECLINED: u8 = 8;
const SELDOM: u8 = 4;
/// A reusable session that was declined so often, and not replaced, is dropped.
const DECLINED_REUSABLE: u8 = 2;

/// What happened when sessions were offered to a server.
///
/// After an offer that failed, the next connection offers nothing: it shows whether the server works
/// at all. Only a server that fails whenever a session is offered, and works otherwise, is avoided:
/// a server that is down for a while keeps its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct History {
    state: State,
    // When the state began, or until when the server is avoided.
    at: Timestamp,
    // How often the server was avoided since a session was last resumed.
    times_avoided: u8,
    // Offers declined in a row, and look-ups since.
    declined: u8,
    lookups: u8,
    // How often the reusable session was declined, and not replaced.
    reusable_declined: u8,
    // For clients that report no outcomes: since when an offer has no answer; and the connections
    // without an offer that have none.
    unanswered: Timestamp, // the epoch: no offer
    withheld: u8,
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
            state: State::Good,
            at: Timestamp::EPOCH,
            times_avoided: 0,
            declined: 0,
            lookups: 0,
            reusable_declined: 0,
            unanswered: Timestamp::EPOCH,
            withheld: 0,
        }
    }
}

impl History {
    /// Whether there is nothing to remember.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.state == State::Good
            && self.declined == 0
            && self.reusable_declined == 0
            && self.unanswered == Timestamp::EPOCH
    }

    /// Whether the connection that begins at `now` may offer a session. With `reports`, its outcome
    /// will be reported.
    #[cold]
    pub(crate) fn may_offer(&mut self, want: Want, reports: bool, now: Timestamp) -> bool {
        let is_unanswered = self.unanswered != Timestamp::EPOCH;
        if !reports && is_unanswered && has_passed(ANSWER, self.unanswered, now) {
            self.unanswered = Timestamp::EPOCH;
            self.fail(false, now);
        }
        // A client that reports nothing looks up twice for one connection.
        let is_second = !reports && want == Want::Reusable;
        let may_offer = match self.state {
            State::Failed { .. } | State::Tested { .. } if is_second => false,
            State::Failed { surely } => {
                (self.state, self.at) = (State::Tested { surely }, now);
                false
            }
            State::Tested { .. } if has_passed(ANSWER, self.at, now) => {
                self.at = now;
                false
            }
            State::Good | State::Doubtful | State::Tested { .. } => true,
            State::Avoided => now >= self.at || self.at > now.after(LONGEST_AVOIDED),
            State::Tried => {
                if has_passed(MINUTE, self.at, now) {
                    true
                } else {
                    self.withheld = self
                        .withheld
                        .saturating_add(u8::from(!reports && !is_second));
                    false
                }
            }
        };
        if may_offer && self.declined >= OFTEN_DECLINED && !is_second {
            self.lookups = self.lookups.wrapping_add(1);
            return self.lookups.is_multiple_of(SELDOM);
        }
        may_offer
    }

    /// A session is offered.
    #[inline]
    pub(crate) fn offered(&mut self, reports: bool, now: Timestamp) {
        if self.state == State::Avoided {
            (self.state, self.at, self.withheld) = (State::Tried, now, 0);
        }
        if !reports && self.unanswered == Timestamp::EPOCH {
            self.unanswered = now;
        }
    }

    /// A handshake with the server ended.
    pub(crate) fn ended(&mut self, outcome: Outcome, now: Timestamp) {
        match outcome {
            Outcome::Resumed => *self = Self::default(),
            Outcome::Declined => {
                let declined = self.declined.saturating_add(1);
                let reusable_declined = self.reusable_declined;
                *self = Self {
                    declined,
                    reusable_declined,
                    ..Self::default()
                };
            }
            Outcome::Failed | Outcome::Rejected => self.fail(false, now),
            Outcome::Broken => self.fail(true, now),
            Outcome::Full => self.work(now),
            Outcome::FullFailed => {
                if let State::Tested { surely } = self.state {
                    self.state = State::Failed { surely };
                }
            }
            Outcome::Cancelled => {
                if self.state == State::Tried {
                    (self.state, self.at) = (State::Avoided, now);
                }
            }
        }
    }

    /// A handshake succeeded, of a client that does not report whether a session was offered.
    pub(crate) fn succeeded(&mut self, now: Timestamp) {
        match self.state {
            State::Failed { .. } | State::Tested { .. } => self.work(now),
            State::Avoided => {}
            State::Tried if self.withheld > 0 => self.withheld -= 1,
            State::Good | State::Doubtful | State::Tried => *self = Self::default(),
        }
    }

    /// A reusable session was declined, and the server gave no other. Returns whether to drop it.
    pub(crate) fn declined_reusable(&mut self) -> bool {
        self.reusable_declined += 1;
        let drops = self.reusable_declined >= DECLINED_REUSABLE;
        if drops {
            self.reusable_declined = 0;
        }
        drops
    }

    /// A reusable session is stored.
    #[inline]
    pub(crate) fn stored_reusable(&mut self) {
        self.reusable_declined = 0;
    }

    fn fail(&mut self, surely: bool, now: Timestamp) {
        match self.state {
            State::Good | State::Failed { .. } | State::Tested { .. } => {
                let before = matches!(
                    self.state,
                    State::Failed { surely: true } | State::Tested { surely: true }
                );
                let surely = surely || before;
                self.state = State::Failed { surely };
            }
            State::Doubtful | State::Tried => self.avoid(now),
            // Offered before.
            State::Avoided => {}
        }
    }

    /// A full handshake succeeded.
    fn work(&mut self, now: Timestamp) {
        match self.state {
            State::Failed { surely: true } | State::Tested { surely: true } => self.avoid(now),
            State::Failed { surely: false } | State::Tested { surely: false } => {
                self.state = State::Doubtful;
            }
            State::Good | State::Doubtful | State::Avoided | State::Tried => {}
        }
    }

    fn avoid(&mut self, now: Timestamp) {
        let times = 1 << u32::from(self.times_avoided).min(8);
        self.times_avoided = self.times_avoided.saturating_add(1);
        self.state = State::Avoided;
        self.at = now.after((AVOIDED * times).min(LONGEST_AVOIDED));
    }
}

/// Whether `duration` has passed since `since`; also if the clock went back.
fn has_passed(duration: Duration, since: Timestamp, now: Timestamp) -> bool {
    now < since || now >= since.after_millis(Millis::from(duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_unix(Duration::from_secs(1_000_000) + Duration::from_millis(millis))
    }

    /// A server's answer to a connection that offers, and to one that does not.
    type Server = fn(bool) -> Outcome;

    /// A connection at `now`. Returns whether it offered.
    fn connect(history: &mut History, server: Server, now: Timestamp) -> bool {
        let offers = history.may_offer(Want::Any, true, now);
        if offers {
            history.offered(true, now);
        }
        history.ended(server(offers), now);
        offers
    }

    fn connect_each_second(history: &mut History, server: Server, seconds: u64) -> Vec<bool> {
        let connection = |second| connect(history, server, at(second * 1_000));
        (0..seconds).map(connection).collect()
    }

    const BREAKS: Server = |offers| {
        if offers {
            Outcome::Broken
        } else {
            Outcome::Full
        }
    };
    const CLOSES: Server = |offers| {
        if offers {
            Outcome::Failed
        } else {
            Outcome::Full
        }
    };
    const IS_DOWN: Server = |offers| {
        if offers {
            Outcome::Failed
        } else {
            Outcome::FullFailed
        }
    };
    const DECLINES: Server = |offers| {
        if offers {
            Outcome::Declined
        } else {
            Outcome::Full
        }
    };

    /// R29: one failure, a full handshake, and then no offer for 10 minutes, 20 minutes, and so on.
    #[test]
    fn a_server_that_breaks_on_offers_is_avoided_after_one() {
        let offers = connect_each_second(&mut History::default(), BREAKS, 2 * 3_600);
        let offered: Vec<_> = (0..).zip(offers).filter(|(_, offers)| *offers).collect();
        let seconds: Vec<u32> = offered.into_iter().map(|(second, _)| second).collect();
        assert_eq!(seconds, [0, 601, 1_801, 4_201]);
    }

    /// R28, R29: never two failures in a row, and two in all.
    #[test]
    fn a_server_that_closes_on_offers_is_avoided_after_two() {
        let offers = connect_each_second(&mut History::default(), CLOSES, 600);
        assert_eq!(offers[..5], [true, false, true, false, false]);
        assert_eq!(offers.iter().filter(|offers| **offers).count(), 2);
    }

    /// R31: a server that is down is no server that cannot resume.
    #[test]
    fn a_server_that_is_down_costs_one_session() {
        let mut history = History::default();
        let offers = connect_each_second(&mut history, IS_DOWN, 60);
        assert_eq!(offers.iter().filter(|offers| **offers).count(), 1);
        assert!(!connect(&mut history, DECLINES, at(61_000)));
        assert!(connect(&mut history, |_| Outcome::Resumed, at(62_000)));
        assert!(history.is_plain());
    }

    /// R31: after a failure, one of many connections at once offers nothing.
    #[test]
    fn a_burst_after_a_failure_offers() {
        let mut history = History::default();
        connect(&mut history, CLOSES, at(0));
        let burst: Vec<_> = (0..64)
            .map(|_| history.may_offer(Want::Any, true, at(10)))
            .collect();
        assert_eq!(burst.iter().filter(|offers| **offers).count(), 63);
    }

    #[test]
    fn the_longest_time_is_a_day() {
        let mut history = History::default();
        let mut now = at(0);
        connect(&mut history, BREAKS, now);
        for _ in 0..20 {
            connect(&mut history, BREAKS, now);
            now = now.after(LONGEST_AVOIDED);
            assert!(connect(&mut history, BREAKS, now));
        }
    }

    /// Only one connection tries again, and a session that is resumed ends it.
    #[test]
    fn one_connection_tries_again() {
        let mut history = History::default();
        connect(&mut history, BREAKS, at(0));
        connect(&mut history, BREAKS, at(0));
        let later = at(600_000);
        assert!(history.may_offer(Want::Any, true, later));
        history.offered(true, later);
        assert!(!history.may_offer(Want::Any, true, later));
        history.ended(Outcome::Full, later);
        assert!(!history.may_offer(Want::Any, true, later));
        history.ended(Outcome::Resumed, later);
        assert!(history.is_plain());
    }

    /// R29: a server that declines is asked in one connection of four.
    #[test]
    fn a_server_that_declines_is_asked_seldom() {
        let mut history = History::default();
        let offers = connect_each_second(&mut history, DECLINES, 100);
        let asked = offers[8..].iter().filter(|offers| **offers).count();
        assert!(offers[..8].iter().all(|offers| *offers));
        assert_eq!(asked, 92 / 4);
        history.ended(Outcome::Resumed, at(200_000));
        assert!(history.is_plain());
    }

    /// A connection of a client that does not report. Returns whether it offered.
    fn connect_unreported(history: &mut History, server: Server, now: Timestamp) -> bool {
        let offers = history.may_offer(Want::SingleUseFirst, false, now);
        if offers {
            history.offered(false, now);
        }
        if matches!(server(offers), Outcome::Full | Outcome::Resumed) {
            history.succeeded(now.after(Duration::from_millis(50)));
        }
        offers
    }

    /// R28: at one connection in 250 ms, two failures in 80, never two in a row.
    #[test]
    fn failures_are_inferred_from_silence() {
        let mut history = History::default();
        let connection = |n: u64| connect_unreported(&mut history, CLOSES, at(n * 250));
        let offers: Vec<_> = (0..80).map(connection).collect();
        assert_eq!(offers[..5], [true, false, true, false, false]);
        assert_eq!(offers.iter().filter(|offers| **offers).count(), 2);
    }

    /// A burst to a healthy server is no failure, nor is one that answers in its own time.
    #[test]
    fn a_healthy_burst_is_no_failure() {
        let mut history = History::default();
        for round in 0..10 {
            let now = at(round * 1_000);
            for _ in 0..64 {
                assert!(history.may_offer(Want::SingleUseFirst, false, now));
                history.offered(false, now);
            }
            for _ in 0..64 {
                history.succeeded(now.after(ANSWER));
            }
        }
        assert!(history.is_plain());
    }

    /// The second look-up of a connection that does not report follows the first.
    #[test]
    fn the_second_lookup_of_a_connection_offers_no_more_than_the_first() {
        let mut history = History::default();
        connect_unreported(&mut history, CLOSES, at(0));
        assert!(!history.may_offer(Want::SingleUseFirst, false, at(300)));
        assert!(!history.may_offer(Want::Reusable, false, at(300)));
    }

    /// A reusable session is dropped when it was declined twice and not replaced.
    #[test]
    fn a_declined_session_is_dropped_unless_it_is_replaced() {
        let mut history = History::default();
        assert!(!history.declined_reusable());
        history.stored_reusable();
        assert!(!history.declined_reusable());
        assert!(history.declined_reusable());
    }

    #[test]
    fn a_clock_that_goes_back_does_not_avoid_for_ever() {
        let mut history = History::default();
        connect(&mut history, BREAKS, at(1_000_000_000));
        connect(&mut history, BREAKS, at(1_000_000_000));
        assert!(!history.may_offer(Want::Any, true, at(1_000_000_000)));
        assert!(history.may_offer(Want::Any, true, at(0)));
    }
}
