//! The rules.

use std::collections::BTreeMap;

use super::Table;
use crate::{EquivalenceRow, Outcome, Verdict, plain};

/// The rules, and below them why one does not apply.
pub(super) fn table(rows: &[EquivalenceRow]) -> Table {
    let title = "Rules that every backend has to follow.";
    let head = ["rule", "claim", "rustls", "openssl", "preview"];
    let mut table = Table::new(title, &head, head.len());
    for row in rows {
        let [rustls, openssl, preview] = BACKENDS.map(|(_, of)| word(of(row)));
        table.row([
            row.rule.as_str(),
            row.title.as_str(),
            rustls,
            openssl,
            preview,
        ]);
    }
    table.notes.extend(failures(rows));
    table.notes.extend(not_applicable(rows));
    for (backend, of) in BACKENDS {
        let count = |outcome| rows.iter().filter(|row| of(row).outcome == outcome).count();
        let [pass, fail, not] = [Outcome::Pass, Outcome::Fail, Outcome::NotApplicable].map(count);
        table
            .notes
            .push(format!("{backend}: {pass} pass, {fail} fail, {not} n/a"));
    }
    table
}

/// A backend's name, and its verdict in a row.
pub(crate) type Backend = (&'static str, fn(&EquivalenceRow) -> &Verdict);

pub(crate) const BACKENDS: [Backend; 3] = [
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
            let line = format!("{} ({}) fails on {backend}: {reason}", row.rule, row.title);
            plain::line(&line)
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

pub(crate) fn word(verdict: &Verdict) -> &'static str {
    match verdict.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "FAIL",
        Outcome::NotApplicable => "n/a",
    }
}
