//! The schema in the repository is that of the types, and accepts reports only.

use report::Report;
use serde_json::{Value, json};

use crate::sample;

const COMMITTED: &str = include_str!("../../../../compare/report.schema.json");

fn errors(report: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(&serde_json::from_str(COMMITTED).unwrap()).unwrap();
    let errors = validator.iter_errors(report);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let [committed, generated] = [COMMITTED, &report::schema()].map(|schema| {
        let schema: Value = serde_json::from_str(schema).unwrap();
        schema
    });
    assert!(
        committed == generated,
        "update it: cargo run -p compare -- report --schema > compare/report.schema.json"
    );
}

#[test]
fn reports_match_the_schema() {
    for report in [
        sample::full(),
        sample::small(),
        Report::new(sample::environment()),
    ] {
        let report = serde_json::to_value(report).unwrap();
        assert_eq!(errors(&report), [""; 0]);
    }
    let mut newer = serde_json::to_value(sample::full()).unwrap();
    newer["burst"][0]["a_key_of_tomorrow"] = json!(1);
    assert_eq!(errors(&newer), [""; 0]);
    serde_json::from_value::<Report>(newer).unwrap();
}

#[test]
fn older_reports_are_read_and_match_the_schema() {
    let mut older = serde_json::to_value(sample::full()).unwrap();
    for (section, keys) in [
        (
            "handshakes",
            &[
                "end",
                "resumed_rate",
                "whole_ns",
                "whole_ns_low",
                "whole_ns_high",
            ][..],
        ),
        ("store_ops", &["n", "bytes_per_server"]),
        ("contention", &["n"]),
    ] {
        for row in older[section].as_array_mut().unwrap() {
            for key in keys {
                row.as_object_mut().unwrap().remove(*key);
            }
        }
    }
    older.as_object_mut().unwrap().remove("fleet").unwrap();
    assert_eq!(errors(&older), [""; 0]);
    let report = serde_json::from_value::<Report>(older).unwrap();
    assert!(report.fleet.is_empty());
    assert!(report.handshakes.iter().all(|row| !row.is_unclean()));
}

#[test]
fn invalid_reports_do_not_match_the_schema() {
    let report = serde_json::to_value(sample::full()).unwrap();
    let without = |section: &str, key: &str| {
        let mut report = report.clone();
        report[section][0]
            .as_object_mut()
            .unwrap()
            .remove(key)
            .unwrap();
        report
    };
    let with = |at: &str, value: Value| {
        let mut report = report.clone();
        *report.pointer_mut(at).unwrap() = value;
        report
    };
    for (broken, path) in [
        (without("handshakes", "store_ns"), "/handshakes/0"),
        (without("memory", "sessions"), "/memory/0"),
        (with("/schema", json!(2)), "/schema"),
        (with("/burst/3/rounds", json!(-1)), "/burst/3/rounds"),
        (with("/scale/0/p50_us", json!(null)), "/scale/0/p50_us"),
        (
            with("/equivalence/0/rustls/outcome", json!("perhaps")),
            "/equivalence/0/rustls/outcome",
        ),
        (with("/tiers", json!({})), "/tiers"),
    ] {
        let errors = errors(&broken);
        assert!(
            errors.iter().any(|error| error.starts_with(path)),
            "{path}: {errors:?}"
        );
    }
}
