//! Limits and counters as text.

use proptest::prelude::*;
use store_core::{Limits, ServerStats, Stats};

use crate::helpers::*;

const DEFAULT: &str = r#"{"servers":4096,"sessions_per_server":64,"session_bytes":"48.0 KiB","server_bytes":"512.0 KiB","total_bytes":"64.0 MiB","ticket_bytes":"8.0 KiB","unpacked_sessions":128,"single_use_lifetime":"7days","reusable_lifetime":"1day","total_age":"7days"}"#;

#[test]
fn the_defaults_are_written_with_units() {
    let written = serde_json::to_string(&Limits::default()).expect("written");
    assert_eq!(written, DEFAULT);
}

fn read_error(text: &str) -> String {
    let mut json = serde_json::Deserializer::from_str(text);
    let read: Result<Limits, _> = serde_path_to_error::deserialize(&mut json);
    read.expect_err(text).to_string()
}

#[test]
fn an_unknown_field_is_answered_with_the_known_ones() {
    let error = read_error(r#"{"severs": 1}"#);
    assert!(error.contains("`severs`"), "{error}");
    for field in fields() {
        assert!(error.contains(&format!("`{field}`")), "{field}: {error}");
    }
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn an_invalid_value_is_an_error_with_the_fields_name() {
    for field in fields() {
        for value in ["-1", "1.5", "null", r#""some""#, "[]"] {
            let error = read_error(&format!(r#"{{"{field}": {value}}}"#));
            assert!(error.starts_with(&format!("{field}: ")), "{error}");
        }
    }
}

fn fields() -> Vec<String> {
    let written: serde_json::Value = serde_json::from_str(DEFAULT).expect("JSON");
    let fields: Vec<_> = written.as_object().expect("an object").keys().collect();
    assert_eq!(fields.len(), 10);
    fields.into_iter().cloned().collect()
}

proptest! {
    #[test]
    fn written_limits_are_read_again(
        counts: [usize; 3],
        bytes: [usize; 3],
        kib in 0_usize..1 << 20,
        lifetimes: [u32; 2],
        age in 0..1_u64 << 54,
    ) {
        let limits = Limits::default()
            .with_servers(counts[0])
            .with_sessions_per_server(counts[1])
            .with_unpacked_sessions(counts[2])
            .with_lifetimes(secs(lifetimes[0].into()), secs(lifetimes[1].into()))
            .with_total_age(secs(age));
        for [session, server, total] in [bytes, [kib, kib << 10, kib << 20]] {
            let limits = limits.clone().with_bytes(session, server, total);
            let text = serde_json::to_string(&limits).expect("written");
            prop_assert_eq!(serde_json::from_str::<Limits>(&text).expect("read"), limits);
        }
    }
}

/// Numbers are seconds and bytes; texts have units.
#[test]
fn every_field_is_read_by_its_name() {
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

#[test]
fn written_stats_are_read_again() {
    let store = small(4);
    put(&store, &key("a"), entry(SingleUse, 1), start()).expect("stored");
    let text = serde_json::to_string(&store.stats()).expect("written");
    let read: Stats = serde_json::from_str(&text).expect("read");
    assert_eq!(read, store.stats());
    assert_eq!(read.stored, 1);
}

#[test]
fn the_stats_of_a_server_keep_their_names() {
    let store = small(4);
    let watched = key("a");
    store.watch(&watched);
    put(&store, &watched, entry(SingleUse, 1), start()).expect("stored");
    let stats: ServerStats = store.server_stats(&watched).expect("watched");
    assert_eq!(
        serde_json::to_string(&stats).expect("written"),
        concat!(
            r#"{"stored":1,"refused":0,"offered":0,"taken":0,"missed":0,"avoided":0,"resumed":0,"#,
            r#""declined":0,"failed":0,"cancelled":0,"retried":0,"held":1}"#
        )
    );
}
