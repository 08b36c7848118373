//! Whether every backend follows the rules of a correct store; the rules are those of the package
//! `conformance`.

use conformance::Launcher;

use report::{EquivalenceRow, Report, RuleOutcome, Verdict, text};

use crate::progress::Progress;

/// Checks every rule and adds the verdicts to the report.
pub(crate) fn run(report: &mut Report, progress: &mut Progress) -> Vec<String> {
    progress.expect(steps());
    report.equivalence = check(&mut |what| progress.step(what));
    text::failures(&report.equivalence).collect()
}

/// How often [`check`] reports progress.
pub fn steps() -> usize {
    conformance::count()
}

/// Checks every rule on every backend. Rules about several processes start this program again.
/// `progress` is called before each rule.
pub fn check(progress: &mut dyn FnMut(&str)) -> Vec<EquivalenceRow> {
    conformance::rows(&Launcher::this_program(), progress)
        .into_iter()
        .map(|row| EquivalenceRow {
            rule: row.rule,
            title: row.title,
            rustls: verdict(row.rustls),
            openssl: verdict(row.openssl),
            rustls_preview: verdict(row.rustls_preview),
        })
        .collect()
}

fn verdict(verdict: conformance::Verdict) -> Verdict {
    let (outcome, reason) = match verdict {
        conformance::Verdict::Pass => (RuleOutcome::Pass, None),
        conformance::Verdict::Fail(seen) => (RuleOutcome::Fail, Some(seen)),
        conformance::Verdict::NotApplicable(why) => (RuleOutcome::NotApplicable, Some(why)),
    };
    Verdict { outcome, reason }
}
