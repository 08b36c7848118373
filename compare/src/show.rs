//! `compare report`: what a saved report says, for people to read.

use std::fs;
use std::io::Write;
use std::path::Path;

use report::Report;
use report::text::{self, Style};

use crate::cli::ReportOptions;
use crate::error::{Error, Outcome};

/// Between these two lines of a page stands what was measured.
const BEGIN: &str = "<!-- measured: written by `compare report` -->";
const END: &str = "<!-- end of what was measured -->";

/// Reads a report and prints it, or puts it into a page.
pub fn run(options: &ReportOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    let report = read(&options.file)?;
    match &options.into {
        Some(page) => splice(page, &text::all(&report, Style::Markdown))?,
        None => writeln!(out, "{}", text::all(&report, Style::Terminal))?,
    }
    Ok(Outcome::AsClaimed)
}

fn read(file: &Path) -> Result<Report, Error> {
    Report::read(file).map_err(|error| Error::BadInput(format!("{}: {error}", file.display())))
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
