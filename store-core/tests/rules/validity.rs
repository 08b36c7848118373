//! R11, R12, R13: sessions are offered only while they are valid.

use store_core::{Entry, Limits, Refused, SessionStore, Timestamp, Usage};

use crate::helpers::*;

/// The lifetime of a session in seconds. Checks that it is offered until its last millisecond.
fn effective_lifetime(limits: &Limits, usage: Usage, lifetime: Option<u64>) -> u64 {
    let key = key("a.example");
    let entry = Entry::new(Numbered(1), usage, lifetime.map(secs), 1, start());
    let lives = {
        let store: SessionStore<Numbered> = store(limits.clone());
        put(&store, &key, entry.clone(), start()).expect("stored");
        let offer = store
            .offer(&key, Want::Any, start(), |_| true)
            .expect("offered");
        offer.entry.expires.since(start()).expect("in the future")
    };
    let last = lives.saturating_sub(millis(1));
    for (age, found) in [(last, Some(1)), (lives, None)] {
        let store = store(limits.clone());
        put(&store, &key, entry.clone(), start()).expect("stored");
        assert_eq!(offered(&store, &key, start().after(age)), found, "{age:?}");
        assert_eq!(store.stats().expired, u64::from(found.is_none()));
    }
    lives.as_secs()
}

/// R11: the server's lifetime, the protocol's bound and the limit, checked at each look-up.
#[test]
fn the_shortest_of_three_bounds_is_the_lifetime() {
    let own = Limits::default().with_lifetimes(secs(HOUR), secs(HOUR / 2));
    for (limits, usage, lifetime, expected) in [
        (Limits::default(), SingleUse, Some(300), 300),
        (Limits::default(), SingleUse, Some(8 * DAY), 7 * DAY),
        (Limits::default(), SingleUse, None, 7 * DAY),
        (Limits::default(), Reusable, Some(300), 300),
        (Limits::default(), Reusable, Some(2 * DAY), DAY),
        (Limits::default(), Reusable, None, DAY),
        (own.clone(), SingleUse, Some(2 * HOUR), HOUR),
        (own.clone(), SingleUse, Some(60), 60),
        (own.clone(), Reusable, Some(2 * HOUR), HOUR / 2),
        (own.clone(), Reusable, Some(60), 60),
    ] {
        assert_eq!(
            effective_lifetime(&limits, usage, lifetime),
            expected,
            "{usage:?} {lifetime:?}"
        );
    }
}

/// R11: also an expiry that a backend sets itself.
#[test]
fn the_limits_bound_every_expiry() {
    let limits = Limits::default().with_lifetimes(secs(60), secs(30));
    for (usage, most) in [(SingleUse, 60), (Reusable, 30)] {
        let store = store(limits.clone());
        let entry = Entry {
            expires: Timestamp::NEVER,
            ..entry(usage, 1)
        };
        put(&store, &key("a"), entry, start()).expect("stored");
        let offer = store
            .offer(&key("a"), Want::Any, start(), |_| true)
            .expect("offered");
        assert_eq!(offer.entry.expires, at(most));
    }
}

/// R11.
#[test]
fn a_lifetime_of_zero_means_do_not_store_in_tls13_and_unspecified_in_tls12() {
    let store = store(Limits::default());
    let zero = |usage| Entry::new(Numbered(1), usage, Some(secs(0)), 1, start());
    let refused = put(&store, &key("a"), zero(SingleUse), start());
    assert_eq!(refused, Err(Refused::Expired));
    let stats = store.stats();
    assert_eq!(
        (stats.refused_expired, stats.stored, stats.sessions),
        (1, 0, 0)
    );
    assert_eq!(
        effective_lifetime(&Limits::default(), Reusable, Some(0)),
        DAY
    );
}

/// R11: an expired session does not hide a valid one.
#[test]
fn take_and_copy_check_the_expiry() {
    let store = small(4);
    let key = key("a");
    for (number, seconds) in [(1, 100), (2, 10), (3, 10)] {
        put(
            &store,
            &key,
            lives(SingleUse, number, seconds, start()),
            start(),
        )
        .expect("stored");
    }
    put(&store, &key, lives(Reusable, 4, 10, start()), start()).expect("stored");
    assert!(
        store
            .offer(&key, Want::Reusable, at(10), |_| true)
            .is_none()
    );
    let taken = store
        .offer(&key, Want::SingleUse, at(10), |_| true)
        .expect("the oldest is valid");
    assert_eq!(taken.entry.session, Numbered(1));
    assert_eq!(store.stats().expired, 3);
    assert_eq!(store.stats().sessions, 0);
}

/// R12: the age counts from the last full handshake.
#[test]
fn renewals_end_with_the_total_age() {
    for usage in [SingleUse, Reusable] {
        let store = store(Limits::default().with_total_age(secs(3 * DAY)));
        let mut now = start();
        let mut renewals = 0;
        let last = loop {
            let renewed = lives(usage, renewals, DAY, now).established_at(start());
            if let Err(refused) = put(&store, &key("a"), renewed, now) {
                break refused;
            }
            renewals += 1;
            let offer = store
                .offer(&key("a"), Want::Any, now, |_| true)
                .expect("offered");
            assert_eq!(
                offer.entry.established,
                start(),
                "passed to the next renewal"
            );
            assert!(offer.entry.expires <= at(3 * DAY));
            now = now.after(secs(DAY / 2));
        };
        assert_eq!((last, renewals, now), (Refused::Expired, 6, at(3 * DAY)));
    }
}

/// R12: to the millisecond.
#[test]
fn the_total_age_is_checked_at_each_lookup() {
    let limits = Limits::default().with_total_age(secs(DAY));
    for (later, found) in [(millis(HOUR * 1_000 - 1), Some(1)), (secs(HOUR), None)] {
        let store = store(limits.clone());
        let now = at(23 * HOUR);
        let renewed = lives(SingleUse, 1, 5 * DAY, now).established_at(start());
        put(&store, &key("a"), renewed, now).expect("an hour is left");
        assert_eq!(offered(&store, &key("a"), now.after(later)), found);
    }
}

/// R13: if the clock goes back by more than a second.
#[test]
fn sessions_from_the_future_are_expired() {
    for usage in [SingleUse, Reusable] {
        for (back, found) in [
            (0, Some(1)),
            (1_000, Some(1)),
            (1_001, None),
            (DAY * 1_000, None),
        ] {
            let store = small(4);
            let put_at = start().after(millis(back));
            put(&store, &key("a"), lives(usage, 1, HOUR, put_at), put_at).expect("stored");
            assert_eq!(
                offered(&store, &key("a"), start()),
                found,
                "{usage:?} {back} ms"
            );
            assert_eq!(store.stats().expired, u64::from(found.is_none()));
        }
    }
}

/// R13: time has 64 bits, so nothing happens in 2038 or 2106.
#[test]
fn extreme_times_work() {
    for now in [u64::from(u32::MAX) / 2, u64::from(u32::MAX), 1 << 40] {
        let store = store(Limits::default());
        let now = Timestamp::from_unix(secs(now));
        put(&store, &key("a"), lives(SingleUse, 1, 10, now), now).expect("stored");
        assert_eq!(offered(&store, &key("a"), now.after(secs(9))), Some(1));
    }
    for now in [Timestamp::EPOCH, Timestamp::NEVER] {
        let store = small(1);
        for established in [Timestamp::EPOCH, Timestamp::NEVER] {
            for expires in [Timestamp::EPOCH, Timestamp::NEVER] {
                let extreme = Entry {
                    expires,
                    established,
                    ..entry(Reusable, 1)
                };
                let stored = put(&store, &key("a"), extreme, now).is_ok();
                let time_left = now < Timestamp::NEVER && expires > now;
                assert_eq!(stored, time_left, "{now:?} {established:?} {expires:?}");
                store.sweep(now);
                store.offer(&key("a"), Want::Any, now, |_| true);
            }
        }
    }
}

/// R12, R13: if the clock was ahead and has been corrected, the handshake counts as one of now.
#[test]
fn a_full_handshake_in_the_future_does_not_extend_the_total_age() {
    let store = store(Limits::default().with_total_age(secs(HOUR)));
    let renewed = lives(SingleUse, 1, DAY, start()).established_at(at(365 * DAY));
    put(&store, &key("a"), renewed, start()).expect("stored");
    let offer = store
        .offer(&key("a"), Want::Any, start(), |_| true)
        .expect("offered");
    assert_eq!(offer.entry.expires, at(HOUR));
    assert_eq!(offer.entry.established, start());
}
