//! Whether every backend follows the rules of a correct store, as the package `conformance` has
//! them.

use conformance::Launcher;

use report::{EquivalenceRow, RuleOutcome, Report, Verdict, text};

use crate::progress::Progress;
use crate::run::Run;

/// Checks every rule, and puts the verdicts into the report.
pub(crate) fn run(_: &Run, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    progress.expect(steps());
    report.equivalence = check(&mut |what| progress.step(what));
    text::failures(&report.equivalence).collect()
}

/// How often [`check`] reports progress.
pub fn steps() -> usize {
    conformance::count()
}

/// Runs every rule against every backend; where it takes several processes, they are this program.
/// `progress` is told which one begins.
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

fn verdict(of: conformance::Verdict) -> Verdict {
    let (outcome, reason) = match of {
        conformance::Verdict::Pass => (RuleOutcome::Pass, None),
        conformance::Verdict::Fail(seen) => (RuleOutcome::Fail, Some(seen)),
        conformance::Verdict::NotApplicable(why) => (RuleOutcome::NotApplicable, Some(why)),
    };
    Verdict { outcome, reason }
}
