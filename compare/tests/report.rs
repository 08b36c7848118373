//! The report: every corner is there, and what is written can be read back.

use std::collections::HashSet;
use std::fs;

use compare::environment::Environment;
use compare::report::{EquivalenceRow, Outcome, Report, SCHEMA, TierRow, Verdict};
use compare::sections::Section;
use compare::sections::handshakes::{self, Plan};
use lab::certificate::KeyKind;

fn one_round() -> Plan {
    Plan {
        rounds: 1,
        keys: vec![KeyKind::EcdsaP256],
        seed: 1,
    }
}

#[test]
fn every_corner_is_measured_and_does_what_it_claims() {
    let plan = one_round();
    let mut steps = 0;
    let rows = handshakes::measure(&plan, &mut |_| steps += 1);
    assert_eq!(steps, plan.steps());

    let errors: Vec<_> = handshakes::errors(&rows).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let corners: HashSet<_> = rows
        .iter()
        .map(|row| {
            [
                &row.backend,
                &row.server,
                &row.protocol,
                &row.kind,
                &row.store,
            ]
        })
        .collect();
    assert_eq!(corners.len(), 2 * 2 * 2 * 3);
    for row in &rows {
        assert_eq!(row.rounds, 1, "{row:?}");
        assert!(row.client_us.is_some(), "{row:?}");
        assert!(row.bytes_in > 0 && row.bytes_out > 0, "{row:?}");
        assert_eq!(row.group, "X25519");
        assert!(row.cipher.starts_with("TLS_"), "{row:?}");
        assert_eq!(row.kind == "full", row.store == "none", "{row:?}");
        assert_eq!(row.store_ns.is_some(), row.store == "tls-resume", "{row:?}");
    }
    // The certificates are what resumption saves on the wire.
    for full in rows.iter().filter(|row| row.kind == "full") {
        let resumed = rows.iter().find(|row| {
            row.store == "tls-resume"
                && (&row.backend, &row.server, &row.protocol)
                    == (&full.backend, &full.server, &full.protocol)
        });
        assert!(resumed.unwrap().bytes_in * 2 < full.bytes_in, "{full:?}");
    }
    let shown = handshakes::show(&rows);
    assert!(
        shown.lines().all(|line| line.chars().count() <= 100),
        "{shown}"
    );
}

#[test]
fn a_report_survives_its_file() {
    let mut report = Report::new(Environment::detect(7));
    report.handshakes = handshakes::measure(&one_round(), &mut |_| {});
    report.equivalence.push(EquivalenceRow {
        rule: "R2".to_owned(),
        title: "once".to_owned(),
        rustls: Verdict {
            outcome: Outcome::Pass,
            reason: None,
        },
        openssl: Verdict {
            outcome: Outcome::Fail,
            reason: Some("twice".to_owned()),
        },
        rustls_preview: Verdict {
            outcome: Outcome::NotApplicable,
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
fn a_row_that_fails_says_so() {
    let mut rows = handshakes::measure(&one_round(), &mut |_| {});
    rows[2].error = Some("the server says that the handshake was full".to_owned());
    let errors: Vec<_> = handshakes::errors(&rows).collect();
    assert_eq!(
        errors,
        [
            "rustls to rustls, TLS 1.2, ecdsa-p256, resumed, store tls-resume: the server says that \
          the handshake was full"
        ]
    );
}
