//! The report's file, and the errors of its rows.

use std::fs;

use compare::environment;
use compare::harness::{Scenario, Stack, Store};
use compare::sections::handshakes::{self, Case, Plan};
use lab::server::Protocol;
use report::Section;
use report::{EquivalenceRow, Report, RuleOutcome, SCHEMA, TierRow, Verdict};

fn one_round() -> Plan {
    let scenarios = Stack::MAIN.map(|client| Scenario::new(client, Protocol::Tls13));
    let cases = scenarios.map(|scenario| Case {
        scenario,
        stores: Store::all_for(scenario.client.library()).to_vec(),
        rounds: 1,
    });
    Plan {
        cases: cases.into(),
        seed: 1,
    }
}

#[test]
fn a_saved_report_is_read_back_unchanged() {
    let mut report = Report::new(environment::detect(7, false));
    report.handshakes = handshakes::measure(&one_round(), &mut |_| {});
    report.equivalence.push(EquivalenceRow {
        rule: "R2".to_owned(),
        title: "once".to_owned(),
        rustls: Verdict {
            outcome: RuleOutcome::Pass,
            reason: None,
        },
        openssl: Verdict {
            outcome: RuleOutcome::Fail,
            reason: Some("twice".to_owned()),
        },
        rustls_preview: Verdict {
            outcome: RuleOutcome::NotApplicable,
            reason: Some("no such thing".to_owned()),
        },
    });
    report.tiers.push(TierRow {
        tier: "lmdb".to_owned(),
        op: "take".to_owned(),
        processes: 4,
        n: 8_000,
        median_us: 7.5,
        p99_us: 120.25,
    });
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("round-trip");
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("report.json");
    report.save(&file).unwrap();

    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["schema"], SCHEMA);
    for section in Section::ALL.map(Section::as_str) {
        assert!(json[section].is_array(), "{section}");
        assert_eq!(json["skipped"][section], "did not run");
    }
    assert_eq!(json["environment"]["seed"], 7);
    assert_eq!(json["tiers"][0]["p99_us"], 120.25);
}

#[test]
fn the_error_of_a_row_names_the_row() {
    let mut rows = handshakes::measure(&one_round(), &mut |_| {});
    rows[2].error = Some("the server says that the handshake was full".to_owned());
    let errors: Vec<_> = handshakes::errors(&rows).collect();
    assert_eq!(
        errors,
        [
            "aws-lc-rs to rustls, TLS 1.3, ecdsa-p256, X25519, resumed, store tls-resume: the \
          server says that the handshake was full"
        ]
    );
}
