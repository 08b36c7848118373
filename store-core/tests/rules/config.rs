//! Limits: what is refused, what is read from configuration, and the ends of what is allowed.

use store_core::{Limits, LimitsError, SessionStore};

use crate::helpers::*;

fn part_above_whole(limits: &Limits) -> (&'static str, &'static str) {
    match limits.validate() {
        Err(LimitsError::PartAboveWhole { part, whole, .. }) => (part, whole),
        other => panic!("{limits:?}: {other:?}"),
    }
}

/// Every field has a bound of its own, and the bound itself is allowed.
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
    let at_once = limits().with_total_age(secs(0)).validate();
    assert_eq!(at_once, Err(LimitsError::NoAge));

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
        let too_long = LimitsError::LivesTooLong {
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

/// A store is not made with limits that contradict each other, and off allows all of them.
#[test]
fn a_store_needs_valid_limits() {
    let wrong = Limits::default().with_bytes(10, 9, 9);
    assert!(SessionStore::<Numbered>::new(wrong.clone()).is_err());
    assert!(SessionStore::<Numbered>::new(wrong.with_servers(0)).is_ok());
}

/// Every field is read from configuration under its name: numbers in seconds and bytes, texts in
/// units of their own.
#[test]
fn every_field_is_read_from_configuration() {
    let text = r#"{
        "servers": 1, "sessions_per_server": 2, "session_bytes": 3, "server_bytes": 4,
        "total_bytes": 5, "single_use_lifetime": 6, "reusable_lifetime": 7, "total_age": 8,
        "unpacked_sessions": 9
    }"#;
    let limits: Limits = serde_json::from_str(text).expect("valid");
    let expected = Limits::default()
        .with_servers(1)
        .with_sessions_per_server(2)
        .with_bytes(3, 4, 5)
        .with_lifetimes(secs(6), secs(7))
        .with_total_age(secs(8))
        .with_unpacked_sessions(9);
    assert_eq!(limits, expected);
    let text = r#"{
        "servers": 1, "sessions_per_server": 2, "session_bytes": "3B", "server_bytes": "4 B",
        "total_bytes": "5b", "single_use_lifetime": "6s", "reusable_lifetime": "7 sec",
        "total_age": "0m 8s", "unpacked_sessions": 9
    }"#;
    let limits: Limits = serde_json::from_str(text).expect("valid");
    assert_eq!(limits, expected);

    let partial: Limits = serde_json::from_str(r#"{"servers": 9}"#).expect("valid");
    assert_eq!(partial, Limits::default().with_servers(9));
    for wrong in [
        r#"{"server": 9}"#,
        r#"{"servers": -1}"#,
        r#"{"servers": "9"}"#,
        r#"{"total_age": "1 dog"}"#,
    ] {
        assert!(serde_json::from_str::<Limits>(wrong).is_err(), "{wrong}");
    }
}

/// Stats go into reports.
#[test]
fn stats_are_written_and_read() {
    let store = small(4);
    put(&store, &key("a"), entry(SingleUse, 1), start()).expect("stored");
    let text = serde_json::to_string(&store.stats()).expect("written");
    let read: store_core::Stats = serde_json::from_str(&text).expect("read");
    assert_eq!(read, store.stats());
    assert_eq!(read.stored, 1);
}

/// So do those of one server, under names that stay.
#[test]
fn the_stats_of_a_server_keep_their_names() {
    let store = small(4);
    let watched = key("a");
    store.watch(&watched);
    put(&store, &watched, entry(SingleUse, 1), start()).expect("stored");
    let stats = store.server_stats(&watched).expect("watched");
    assert_eq!(
        serde_json::to_string(&stats).expect("written"),
        concat!(
            r#"{"stored":1,"refused":0,"offered":0,"taken":0,"missed":0,"resumed":0,"#,
            r#""declined":0,"failed":0,"cancelled":0,"held":1}"#
        )
    );
}

/// R16: limits as small as can be: nothing fits, and nothing panics.
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
                // Stored or not: it is bounded and does not panic.
                let _ = put(&store, key, entry(usage, 1), start());
            }
            store.set_hint(key, 29);
        }
        assert!(store.stats().bytes <= bytes as u64);
    }
}

/// Uses a store with limits that are no limits: servers that are hot, sessions that are heavy.
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
            store.offer(key, start());
        }
    }
    let stats = store.stats();
    assert_eq!(stats.stored, stats.taken + stats.evicted + stats.sessions);
}

/// R16, R20: as many servers as there are numbers do no harm, in one shard.
#[test]
fn any_number_of_servers_works() {
    let limits = Limits::default().with_sessions_per_server(usize::MAX);
    let one_shard = limits.with_bytes(1_000, 32 << 20, 32 << 20);
    use_without_limits(one_shard.with_servers(usize::MAX));
}

/// R16, R20: bytes without a limit do no harm: sums of weights do not overflow.
#[test]
fn any_number_of_bytes_works() {
    let limits = Limits::default().with_bytes(usize::MAX, usize::MAX, usize::MAX);
    use_without_limits(limits.clone());
    use_without_limits(limits.with_servers(10));
}

/// An empty store costs about nothing, whatever it may hold later.
#[test]
fn no_limits_make_an_empty_store_large() {
    let limits = Limits::default().with_servers(usize::MAX);
    let store = store::<Numbered>(limits.with_bytes(1 << 15, 1 << 18, usize::MAX));
    assert_eq!(store.stats().bytes, 0);
}
