//! `compare report`: what a saved report says, for people to read.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::cli::ReportOptions;
use crate::error::{Error, Outcome};
use crate::report::{Report, SCHEMA};
use crate::sections::Section;
use crate::table::Style;
use crate::{environment, goals};

/// Between these two lines of a page stands what was measured.
const BEGIN: &str = "<!-- measured: written by `compare report` -->";
const END: &str = "<!-- end of what was measured -->";

/// Reads a report and prints it, or puts it into a page.
pub fn run(options: &ReportOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    let report = read(&options.file)?;
    match &options.into {
        Some(page) => splice(page, &text(&report, Style::Markdown))?,
        None => writeln!(out, "{}", text(&report, Style::Terminal))?,
    }
    Ok(Outcome::AsClaimed)
}

/// All that the report has.
pub fn text(report: &Report, style: Style) -> String {
    let mut parts = vec![environment::text(&report.environment, style)];
    parts.extend(goals::text(report, style));
    for section in Section::ALL {
        parts.push(match report.skipped.get(section.as_str()) {
            Some(why) => format!("skipped: {}: {why}", section.as_str()),
            None => section.text(report, style),
        });
    }
    parts.join("\n\n")
}

fn read(file: &Path) -> Result<Report, Error> {
    let bad = |why: String| Error::BadInput(format!("{}: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
    let report: Report = serde_json::from_str(&text)
        .map_err(|error| bad(format!("not a report of this program: {error}")))?;
    if report.schema != SCHEMA {
        let found = report.schema;
        return Err(bad(format!(
            "of schema {found}, and this program reads {SCHEMA}"
        )));
    }
    Ok(report)
}

/// Replaces what stands between the two marks of a page.
fn splice(page: &Path, text: &str) -> Result<(), Error> {
    let bad = |why: String| Error::BadInput(format!("{}: {why}", page.display()));
    let before = fs::read_to_string(page).map_err(|error| bad(error.to_string()))?;
    let marked = before.split_once(BEGIN).and_then(|(head, rest)| {
        let (_, tail) = rest.split_once(END)?;
        Some(format!("{head}{BEGIN}\n\n{}\n\n{END}{tail}", text.trim()))
    });
    let after =
        marked.ok_or_else(|| bad(format!("it has no line {BEGIN}, or no {END} after it")))?;
    fs::write(page, after).map_err(|source| Error::Report {
        path: page.to_owned(),
        source,
    })
}
