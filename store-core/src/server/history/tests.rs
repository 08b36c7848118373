//! The history by itself.

use super::*;
use crate::Want;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_unix(Duration::from_secs(1_000_000) + Duration::from_millis(millis))
}

fn reported(want: Want) -> LookUp {
    want.into()
}

fn unreported(want: Want) -> LookUp {
    let reports = false;
    LookUp {
        reports,
        ..want.into()
    }
}

/// A server's answer to a connection that offers, and to one that does not.
type Server = fn(bool) -> Outcome;

/// A connection at `now`. Returns whether it offered.
fn connect(history: &mut History, server: Server, now: Timestamp) -> bool {
    let doubtful = history.is_doubtful();
    let offers = history.may_offer(reported(Want::Any), now);
    if offers {
        history.offered(reported(Want::Any), now);
    }
    history.ended(server(offers), doubtful, now);
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

/// R28: a client that connects more seldom than a server is avoided, and a clock that jumps.
#[test]
fn seldom_connections_fail_never_twice_in_a_row() {
    for hours in [1, 25, 24 * 8] {
        for server in [CLOSES, BREAKS] {
            let mut history = History::default();
            let connection = |n: u64| connect(&mut history, server, at(n * hours * 3_600_000));
            let offers: Vec<_> = (0..20).map(connection).collect();
            let twice = offers.windows(2).any(|pair| pair == [true, true]);
            assert!(!twice, "{hours}: {offers:?}");
        }
    }
}

/// The same, of a server that resumes and then rejects.
#[test]
fn seldom_connections_are_never_rejected_late_twice_in_a_row() {
    for minutes in [15, 45, 90] {
        let mut history = History::default();
        let connection = |n: u64| {
            let now = at(n * minutes * 60_000);
            let offers = connect(
                &mut history,
                |offers| {
                    if offers {
                        Outcome::Resumed
                    } else {
                        Outcome::Full
                    }
                },
                now,
            );
            if offers {
                history.ended(Outcome::RejectedLate, false, now);
            }
            offers
        };
        let offers: Vec<_> = (0..20).map(connection).collect();
        let twice = offers.windows(2).any(|pair| pair == [true, true]);
        assert!(!twice, "{minutes}: {offers:?}");
    }
}

/// R28, R29: a server that resumes, and then rejects: never twice in a row, and two in all.
#[test]
fn a_server_that_rejects_late_is_avoided_after_two() {
    const REJECTS_LATE: Server = |offers| {
        if offers {
            Outcome::Resumed
        } else {
            Outcome::Full
        }
    };
    let mut history = History::default();
    let mut connect_each_second = |seconds: std::ops::Range<u64>| {
        let connection = |second: u64| {
            let now = at(second * 1_000);
            let offers = connect(&mut history, REJECTS_LATE, now);
            if offers {
                history.ended(
                    Outcome::RejectedLate,
                    false,
                    now.after(Duration::from_millis(10)),
                );
            }
            offers.then_some(second)
        };
        seconds.filter_map(connection).collect::<Vec<_>>()
    };
    assert_eq!(connect_each_second(0..600), [0, 2]);
    // One more each time that it is tried again.
    assert_eq!(connect_each_second(600..1_300), [603, 1_204]);
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
        .map(|_| history.may_offer(reported(Want::Any), at(10)))
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
    assert!(history.may_offer(reported(Want::Any), later));
    history.offered(reported(Want::Any), later);
    assert!(!history.may_offer(reported(Want::Any), later));
    history.ended(Outcome::Full, false, later);
    assert!(!history.may_offer(reported(Want::Any), later));
    history.ended(Outcome::Resumed, true, later);
    assert!(history.is_plain());
}

/// R29: a server that declines is asked in one connection of 16.
#[test]
fn a_server_that_declines_is_asked_seldom() {
    let mut history = History::default();
    let offers = connect_each_second(&mut history, DECLINES, 168);
    let asked = offers[8..].iter().filter(|offers| **offers).count();
    assert!(offers[..8].iter().all(|offers| *offers));
    assert_eq!(asked, 160 / 16);
    history.ended(Outcome::Resumed, false, at(200_000));
    assert!(history.is_plain());
}

/// A connection of a client that does not report. Returns whether it offered.
fn connect_unreported(history: &mut History, server: Server, now: Timestamp) -> bool {
    let offers = history.may_offer(unreported(Want::SingleUseFirst), now);
    if offers {
        history.offered(unreported(Want::SingleUseFirst), now);
    }
    if matches!(server(offers), Outcome::Full | Outcome::Resumed) {
        history.ended(
            Outcome::Succeeded,
            false,
            now.after(Duration::from_millis(50)),
        );
    }
    offers
}

/// A history of a server whose handshakes take so many milliseconds.
fn measured(millis: u64) -> History {
    let mut history = History::default();
    history.may_offer(unreported(Want::SingleUseFirst), at(0));
    history.ended(Outcome::Succeeded, false, at(millis));
    history
}

/// R28: at one connection in 250 ms, two failures in 80, never two in a row.
#[test]
fn failures_are_inferred_from_silence() {
    let mut history = measured(20);
    let connection = |n: u64| connect_unreported(&mut history, CLOSES, at(1_000 + n * 250));
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
            assert!(history.may_offer(unreported(Want::SingleUseFirst), now));
            history.offered(unreported(Want::SingleUseFirst), now);
        }
        for _ in 0..64 {
            history.ended(
                Outcome::Succeeded,
                false,
                now.after(Duration::from_millis(900)),
            );
        }
    }
    assert!(history.is_plain());
}

/// A server whose handshakes take long, and overlap, is no server that fails.
#[test]
fn slow_handshakes_are_no_failures() {
    let mut history = measured(300);
    for n in 0..200_u64 {
        let now = at(1_000 + n * 100);
        if n >= 3 {
            history.ended(Outcome::Succeeded, false, now); // the one that began 300 ms ago
        }
        assert!(
            history.may_offer(unreported(Want::SingleUseFirst), now),
            "{n}"
        );
        history.offered(unreported(Want::SingleUseFirst), now);
    }
}

/// Connections that began before a failure do not make a server avoided.
#[test]
fn failures_of_earlier_connections_count_once() {
    let mut history = History::default();
    for _ in 0..2 {
        assert!(history.may_offer(reported(Want::Any), at(0)));
    }
    history.ended(Outcome::Failed, false, at(10));
    connect(&mut history, CLOSES, at(20));
    history.ended(Outcome::Failed, false, at(30));
    assert!(history.may_offer(reported(Want::Any), at(40)));
}

/// The second look-up of a connection that does not report follows the first.
#[test]
fn the_second_lookup_of_a_connection_offers_no_more_than_the_first() {
    let mut history = measured(20);
    connect_unreported(&mut history, CLOSES, at(1_000));
    for now in [at(1_300), at(2_300)] {
        assert!(!history.may_offer(unreported(Want::SingleUseFirst), now));
        assert!(!history.may_offer(unreported(Want::Reusable), now));
        history.ended(Outcome::Succeeded, false, now);
        connect_unreported(&mut history, CLOSES, now.after(Duration::from_millis(700)));
    }
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
    assert!(!history.may_offer(reported(Want::Any), at(1_000_000_000)));
    assert!(history.may_offer(reported(Want::Any), at(0)));
}
