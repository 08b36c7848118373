//! Not built yet.

use super::{Section, Shown};
use crate::cli::RunOptions;
use crate::report::Report;

/// Not built yet.
pub fn run(_: &RunOptions, report: &mut Report) -> Shown {
    let section = Section::Store.as_str().to_owned();
    report.skipped.insert(section, "not built yet".to_owned());
    Shown::default()
}
