//! Whether both backends follow the rules of a correct store, as the package `conformance` has them.

use crate::report::{EquivalenceRow, Outcome, Verdict};
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
            rustls: row.rustls,
            openssl: row.openssl,
        })
        .collect()
}

/// The rules as a table, and below it why a rule does not apply.
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
    let mut lines = vec![table.to_string()];
    for row in rows {
        for (backend, reason) in with_outcome(row, Outcome::NotApplicable) {
            lines.push(format!("n/a: {} on {backend}: {reason}", row.rule));
        }
    }
    let summary = |of: fn(&EquivalenceRow) -> &Verdict| {
        let count = |outcome| rows.iter().filter(|row| of(row).outcome == outcome).count();
        let (pass, fail) = (count(Outcome::Pass), count(Outcome::Fail));
        format!("{pass} pass, {fail} fail, {} n/a", rows.len() - pass - fail)
    };
    let (rustls, openssl) = (summary(|row| &row.rustls), summary(|row| &row.openssl));
    lines.push(format!("rustls: {rustls}; openssl: {openssl}"));
    lines.join("\n")
}

/// What failed, a line for each rule and backend.
pub fn failures(rows: &[EquivalenceRow]) -> impl Iterator<Item = String> {
    rows.iter().flat_map(|row| {
        with_outcome(row, Outcome::Fail).map(move |(backend, reason)| {
            format!("{} ({}) fails on {backend}: {reason}", row.rule, row.title)
        })
    })
}

/// The backends of a row that have this outcome, with their reasons.
fn with_outcome(
    row: &EquivalenceRow,
    outcome: Outcome,
) -> impl Iterator<Item = (&'static str, &str)> {
    [("rustls", &row.rustls), ("openssl", &row.openssl)]
        .into_iter()
        .filter(move |(_, verdict)| verdict.outcome == outcome)
        .map(|(backend, verdict)| {
            let reason = verdict.reason.as_deref();
            (backend, reason.unwrap_or("no reason given"))
        })
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "FAIL",
        Outcome::NotApplicable => "n/a",
    }
}
