//! A connection from its look-up to its end.

use store_core::{Begun, Limits, Outcome, Refused, SessionKey};

use crate::helpers::*;

/// What a connection to `key` needs, and the number of the session that it offers.
fn begin(
    store: &store_core::SessionStore<Numbered>,
    key: &SessionKey,
) -> (Begun, Option<u16>, Option<u64>) {
    let start = store.begin(key, Want::Any, start(), |_| true);
    let number = start.offer.map(|offer| offer.entry.session.0);
    (start.begun, start.hint, number)
}

#[test]
fn the_end_of_a_connection_is_one_step() {
    let (store, key) = (small(4), key("a"));
    let (begun, hint, offered) = begin(&store, &key);
    assert_eq!((hint, offered), (None, None));
    let session = Some(entry(SingleUse, 1));
    let put = store.finish(&key, &begun, None, Some(29), session, start());
    assert!(matches!(put, Some(Ok(_))), "{put:?}");

    let (begun, hint, offered) = begin(&store, &key);
    assert_eq!((hint, offered), (Some(29), Some(1)));
    let outcome = Some(Outcome::Resumed);
    assert_eq!(
        store.finish(&key, &begun, outcome, None, None, start()),
        None
    );
    let stats = store.stats();
    assert_eq!((stats.resumed, stats.stored, stats.missed), (1, 1, 1));
}

/// R37: kin of a connection are of no use if they are not resumed.
#[test]
fn without_history_sessions_are_offered_after_failures() {
    for has_history in [true, false] {
        let (store, key) = (small(4).with_history(has_history), key("a"));
        for number in 1..=4 {
            put(&store, &key, entry(SingleUse, number), start()).expect("stored");
        }
        let ends = [Outcome::Failed, Outcome::RejectedLate, Outcome::Declined];
        for (number, end) in [4, 3, 2].into_iter().zip(ends) {
            let (begun, _, offered) = begin(&store, &key);
            assert_eq!(offered, Some(number));
            store.finish(&key, &begun, Some(end), None, None, start());
            if has_history {
                assert_eq!(begin(&store, &key).2, None, "after {end:?}");
                break;
            }
        }
    }
}

/// The store may have moved or evicted the server meanwhile.
#[test]
fn a_connection_finds_its_server_wherever_it_is() {
    let store = small(4);
    let (mine, others) = (key("mine"), keys("other", 40));
    let (begun, ..) = begin(&store, &mine);
    for (number, other) in (10..).zip(&others) {
        put(&store, other, entry(SingleUse, number), start()).expect("stored");
    }
    store
        .put(&mine, entry(SingleUse, 1), begun, start())
        .expect("stored");
    let (evicted, _, offered) = begin(&store, &mine);
    assert_eq!(offered, Some(1));
    for (number, other) in (10..).zip(&others) {
        put(&store, other, entry(SingleUse, number), start()).expect("stored");
    }
    // Another server has the place by now.
    store
        .put(&mine, entry(SingleUse, 2), evicted, start())
        .expect("stored");
    assert_eq!(drain(&store, &mine, start()), [2]);
    for other in &others {
        assert!(
            drain(&store, other, start())
                .iter()
                .all(|number| *number >= 10)
        );
    }
}

/// R22: also for a connection that knows its server's place.
#[test]
fn a_connection_that_began_before_a_clear_stores_nothing() {
    let (store, key) = (small(4), key("a"));
    put(&store, &key, entry(SingleUse, 1), start()).expect("stored");
    for clears_all in [true, false] {
        let (begun, ..) = begin(&store, &key);
        if clears_all {
            store.clear();
        } else {
            store.clear_server(&key);
        }
        let put = store.finish(&key, &begun, None, None, Some(entry(SingleUse, 2)), start());
        assert_eq!(put, Some(Err(Refused::Cleared)));
        // A connection that began before, and looked up after.
        let looked_up_later = begin(&store, &key).0.since(begun.generation());
        let put = store.put(&key, entry(SingleUse, 3), looked_up_later, start());
        assert_eq!(put, Err(Refused::Cleared));
    }
}

#[test]
fn nothing_is_stored_while_resumption_is_off() {
    let (store, key) = (store(Limits::off()), key("a"));
    let (begun, hint, offered) = begin(&store, &key);
    assert_eq!((hint, offered), (None, None));
    let (outcome, session) = (Some(Outcome::Declined), Some(entry(SingleUse, 1)));
    let put = store.finish(&key, &begun, outcome, Some(29), session, start());
    assert_eq!(put, Some(Err(Refused::Off)));
}

/// R28: an application that waits for 2 seconds, and then gives up, tells of a server that fails; one
/// that gives up earlier does not.
#[test]
fn a_handshake_that_is_given_up_late_has_failed() {
    for (millis, offers) in [(1_999, true), (2_000, false)] {
        let (store, key) = (small(4), key("a"));
        for number in 1..=2 {
            put(&store, &key, entry(SingleUse, number), start()).expect("stored");
        }
        let (begun, _, offered) = begin(&store, &key);
        assert_eq!(offered, Some(2));
        let later = start().after(std::time::Duration::from_millis(millis));
        store.finish(&key, &begun, Some(Outcome::Cancelled), None, None, later);
        let next = store.begin(&key, Want::Any, later, |_| true);
        assert_eq!(next.offer.is_some(), offers, "{millis}");
        assert_eq!(store.stats().cancelled, 1);
    }
}
