//! The table of rules.

use std::collections::BTreeMap;

use super::Table;
use crate::{EquivalenceRow, RuleOutcome, Verdict, sanitize};

/// A row per rule. Notes give the reasons for failures and for rules that do not apply.
pub(super) fn table(rows: &[EquivalenceRow]) -> Table {
    let title = "The rules, which every backend must follow.";
    let head = ["rule", "claim", "rustls", "openssl", "rustls-preview"];
    let mut table = Table::new(title, &head, head.len());
    for row in rows {
        let [rustls, openssl, preview] = BACKENDS.map(|(_, verdict)| label(verdict(row)));
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
    for (backend, verdict) in BACKENDS {
        let count = |outcome| {
            rows.iter()
                .filter(|row| verdict(row).outcome == outcome)
                .count()
        };
        let [pass, fail, not] = [
            RuleOutcome::Pass,
            RuleOutcome::Fail,
            RuleOutcome::NotApplicable,
        ]
        .map(count);
        table
            .notes
            .push(format!("{backend}: {pass} pass, {fail} fail, {not} n/a"));
    }
    table
}

/// A backend's name, and the accessor of its verdict.
pub(crate) type Backend = (&'static str, fn(&EquivalenceRow) -> &Verdict);

pub(crate) const BACKENDS: [Backend; 3] = [
    ("rustls", |row| &row.rustls),
    ("openssl", |row| &row.openssl),
    ("rustls-preview", |row| &row.rustls_preview),
];

/// Why rules do not apply: a line per reason, with the rules.
fn not_applicable(rows: &[EquivalenceRow]) -> impl Iterator<Item = String> {
    let mut rules = BTreeMap::<(&str, &str), Vec<&str>>::new();
    for row in rows {
        for reason in with_outcome(row, RuleOutcome::NotApplicable) {
            let rules = rules.entry(reason).or_default();
            if rules.last() != Some(&row.rule.as_str()) {
                rules.push(&row.rule);
            }
        }
    }
    rules.into_iter().map(|((backend, reason), rules)| {
        format!("n/a on {backend}: {}: {reason}", rules.join(" "))
    })
}

/// The failures, a line per rule and backend.
pub fn failures(rows: &[EquivalenceRow]) -> impl Iterator<Item = String> {
    rows.iter().flat_map(|row| {
        with_outcome(row, RuleOutcome::Fail).map(move |(backend, reason)| {
            let line = format!("{} ({}) fails on {backend}: {reason}", row.rule, row.title);
            sanitize::line(&line)
        })
    })
}

/// The backends with this outcome, each with its reason.
fn with_outcome(
    row: &EquivalenceRow,
    outcome: RuleOutcome,
) -> impl Iterator<Item = (&'static str, &str)> {
    BACKENDS
        .into_iter()
        .map(|(backend, verdict)| (backend, verdict(row)))
        .filter(move |(_, verdict)| verdict.outcome == outcome)
        .map(|(backend, verdict)| {
            let reason = verdict.reason.as_deref();
            (backend, reason.unwrap_or("no reason given"))
        })
}

pub(crate) fn label(verdict: &Verdict) -> &'static str {
    match verdict.outcome {
        RuleOutcome::Pass => "pass",
        RuleOutcome::Fail => "FAIL",
        RuleOutcome::NotApplicable => "n/a",
    }
}
