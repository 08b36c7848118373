//! Limits: validation, and the extremes that are allowed.

use store_core::{Limits, LimitsError, SessionStore};

use crate::helpers::*;

fn part_above_whole(limits: &Limits) -> (&'static str, &'static str) {
    match limits.validate() {
        Err(LimitsError::PartAboveWhole { part, whole, .. }) => (part, whole),
        other => panic!("{limits:?}: {other:?}"),
    }
}

/// Every field has a bound, which itself is allowed.
#[test]
fn every_field_is_validated() {
    let limits = Limits::default;
    assert!(
        limits()
            .with_servers(1)
            .with_sessions_per_server(1)
            .validate()
            .is_ok()
    );
    let none = limits().with_sessions_per_server(0).validate();
    assert_eq!(none, Err(LimitsError::NoSessions));
    let no_age = limits().with_total_age(secs(0)).validate();
    assert_eq!(no_age, Err(LimitsError::NoAge));

    assert!(limits().with_bytes(9, 9, 9).validate().is_ok());
    let above = part_above_whole(&limits().with_bytes(10, 9, 9));
    assert_eq!(above, ("session_bytes", "server_bytes"));
    let above = part_above_whole(&limits().with_bytes(9, 10, 9));
    assert_eq!(above, ("server_bytes", "total_bytes"));

    let lives = |single_use, reusable| limits().with_lifetimes(secs(single_use), secs(reusable));
    assert!(lives(7 * DAY, DAY).validate().is_ok());
    assert!(lives(0, 0).validate().is_ok());
    for (given, field, longest) in [
        (lives(7 * DAY + 1, DAY), "single_use_lifetime", 7 * DAY),
        (lives(7 * DAY, DAY + 1), "reusable_lifetime", DAY),
    ] {
        let too_long = LimitsError::LifetimeTooLong {
            field,
            given: longest + 1,
            longest,
        };
        assert_eq!(given.validate(), Err(too_long));
    }
    assert!(
        limits()
            .with_total_age(std::time::Duration::MAX)
            .validate()
            .is_ok()
    );
}

/// Limits that turn resumption off are valid, whatever the other fields.
#[test]
fn a_store_needs_valid_limits() {
    let wrong = Limits::default().with_bytes(10, 9, 9);
    assert!(SessionStore::<Numbered>::new(wrong.clone()).is_err());
    assert!(SessionStore::<Numbered>::new(wrong.with_servers(0)).is_ok());
}

/// R16: nothing fits, and nothing panics.
#[test]
fn the_smallest_limits_work() {
    for bytes in [0, 1, 400] {
        let store = store(
            Limits::default()
                .with_servers(1)
                .with_bytes(bytes, bytes, bytes),
        );
        for key in &keys("s", 3) {
            for usage in [SingleUse, Reusable] {
                // Stored or not: the store is bounded and does not panic.
                let _ = put(&store, key, entry(usage, 1), start());
            }
            store.set_hint(key, 29);
        }
        assert!(store.stats().bytes <= bytes as u64);
    }
}

/// Stores heavy sessions for hot servers.
fn use_without_limits(limits: Limits) {
    let store = store(limits);
    for (number, key) in (0..).zip(&keys("s", 20)) {
        for _ in 0..3 {
            for weight in [
                1,
                usize::MAX / 2,
                usize::MAX / 2 + 1,
                usize::MAX - 1_000,
                usize::MAX,
            ] {
                let _ = put(&store, key, weighs(number, weight), start());
            }
            store.offer(key, Want::Any, start(), |_| true);
        }
    }
    let stats = store.stats();
    assert_eq!(stats.stored, stats.taken + stats.evicted + stats.sessions);
}

/// R16, R20: in one shard.
#[test]
fn any_number_of_servers_works() {
    let limits = Limits::default().with_sessions_per_server(usize::MAX);
    let one_shard = limits.with_bytes(1_000, 32 << 20, 32 << 20);
    use_without_limits(one_shard.with_servers(usize::MAX));
}

/// R16, R20: sums of weights do not overflow.
#[test]
fn any_number_of_bytes_works() {
    let limits = Limits::default().with_bytes(usize::MAX, usize::MAX, usize::MAX);
    use_without_limits(limits.clone());
    use_without_limits(limits.with_servers(10));
}

#[test]
fn an_empty_store_takes_no_bytes_whatever_its_limits() {
    let limits = Limits::default().with_servers(usize::MAX);
    let store = store::<Numbered>(limits.with_bytes(1 << 15, 1 << 18, usize::MAX));
    assert_eq!(store.stats().bytes, 0);
}
