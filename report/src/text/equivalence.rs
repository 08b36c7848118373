//! The rules.

use std::collections::BTreeMap;

use super::Style;
use crate::{EquivalenceRow, Outcome, Report, Verdict};

/// What the report has of it, for people to read.
pub(super) fn text(report: &Report, style: Style) -> String {
    let title = "Rules that every backend has to follow.";
    style.titled(title, show(&report.equivalence, style))
}

/// The rules as a table, and below it why a rule does not apply.
fn show(rows: &[EquivalenceRow], style: Style) -> String {
    let mut table = style.table(&["rule", "claim", "rustls", "openssl", "preview"], 5);
    for row in rows {
        let [rustls, openssl, preview] = BACKENDS.map(|(_, of)| word(of(row)));
        table.add_row([
            row.rule.as_str(),
            row.title.as_str(),
            rustls,
            openssl,
            preview,
        ]);
    }
    let mut lines = vec![table.to_string()];
    lines.extend(not_applicable(rows));
    for (backend, of) in BACKENDS {
        let count = |outcome| rows.iter().filter(|row| of(row).outcome == outcome).count();
        let [pass, fail, not] = [Outcome::Pass, Outcome::Fail, Outcome::NotApplicable].map(count);
        lines.push(format!("{backend}: {pass} pass, {fail} fail, {not} n/a"));
    }
    lines.join("\n")
}

/// A backend's name, and its verdict in a row.
type Backend = (&'static str, fn(&EquivalenceRow) -> &Verdict);

const BACKENDS: [Backend; 3] = [
    ("rustls", |row| &row.rustls),
    ("openssl", |row| &row.openssl),
    ("rustls-preview", |row| &row.rustls_preview),
];

/// Each reason once, with the rules that it keeps from applying.
fn not_applicable(rows: &[EquivalenceRow]) -> impl Iterator<Item = String> {
    let mut rules = BTreeMap::<(&str, &str), Vec<&str>>::new();
    for row in rows {
        for because in with_outcome(row, Outcome::NotApplicable) {
            let rules = rules.entry(because).or_default();
            if rules.last() != Some(&row.rule.as_str()) {
                rules.push(&row.rule);
            }
        }
    }
    rules.into_iter().map(|((backend, reason), rules)| {
        format!("n/a on {backend}: {}: {reason}", rules.join(" "))
    })
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
    BACKENDS
        .into_iter()
        .map(|(backend, of)| (backend, of(row)))
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
