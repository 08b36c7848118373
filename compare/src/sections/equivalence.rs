//! Whether both backends follow the rules of a correct store, as the package `conformance` has them.

use crate::report::{EquivalenceRow, RuleOutcome, Verdict};
use crate::table::table;

/// How often [`check`] reports progress.
pub fn steps() -> usize {
    conformance::count()
}

/// Runs every rule against both backends. `progress` is told which one begins.
pub fn check(progress: &mut dyn FnMut(&str)) -> Vec<EquivalenceRow> {
    conformance::rows(progress)
        .into_iter()
        .map(|row| EquivalenceRow {
            rule: row.rule,
            title: row.title,
            rustls: outcome(row.rustls),
            openssl: outcome(row.openssl),
            rustls_preview: RuleOutcome {
                outcome: Verdict::NotApplicable,
                reason: Some("not built yet".to_owned()),
            },
        })
        .collect()
}

/// The rules as a table, without the backends that this version does not have.
pub fn show(rows: &[EquivalenceRow]) -> String {
    let mut table = table(&["rule", "claim", "rustls", "openssl"], 4);
    for row in rows {
        table.add_row([
            row.rule.as_str(),
            row.title.as_str(),
            word(&row.rustls),
            word(&row.openssl),
        ]);
    }
    let summary = |of: fn(&EquivalenceRow) -> &RuleOutcome| {
        let count = |verdict| rows.iter().filter(|row| of(row).outcome == verdict).count();
        let (pass, fail) = (count(Verdict::Pass), count(Verdict::Fail));
        format!("{pass} pass, {fail} fail, {} n/a", rows.len() - pass - fail)
    };
    let (rustls, openssl) = (summary(|row| &row.rustls), summary(|row| &row.openssl));
    format!("{table}\nrustls: {rustls}; openssl: {openssl}")
}

/// What failed, a line for each rule and backend.
pub fn failures(rows: &[EquivalenceRow]) -> impl Iterator<Item = String> {
    rows.iter().flat_map(|row| {
        let failed = |backend: &str, outcome: &RuleOutcome| {
            (outcome.outcome == Verdict::Fail).then(|| {
                let reason = outcome.reason.as_deref().unwrap_or("no reason given");
                format!("{} ({}) fails on {backend}: {reason}", row.rule, row.title)
            })
        };
        [
            failed("rustls", &row.rustls),
            failed("openssl", &row.openssl),
        ]
        .into_iter()
        .flatten()
    })
}

fn outcome(verdict: conformance::Verdict) -> RuleOutcome {
    RuleOutcome {
        outcome: match verdict.outcome {
            conformance::Outcome::Pass => Verdict::Pass,
            conformance::Outcome::Fail => Verdict::Fail,
            conformance::Outcome::NotApplicable => Verdict::NotApplicable,
        },
        reason: verdict.reason,
    }
}

fn word(outcome: &RuleOutcome) -> &'static str {
    match outcome.outcome {
        Verdict::Pass => "pass",
        Verdict::Fail => "FAIL",
        Verdict::NotApplicable => "n/a",
    }
}
