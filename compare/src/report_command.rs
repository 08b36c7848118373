//! `compare report`: shows a saved report.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use report::text::{self, Style};
use report::{Report, html};

use crate::args::ReportOptions;
use crate::error::{Error, Outcome};

/// The marks in a Markdown page between which the text is inserted.
const BEGIN: &str = "<!-- measured: written by `compare report` -->";
const END: &str = "<!-- end of what was measured -->";

/// Prints a report as text and writes it as an HTML page, or prints the JSON Schema.
pub fn run(options: &ReportOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    let Some(file) = &options.file else {
        out.write_all(report::schema().as_bytes())?;
        return Ok(Outcome::Passed);
    };
    let to_stdout = options.html.as_deref() == Some(Path::new("-"));
    let page = match &options.html {
        _ if to_stdout => None,
        Some(page) => Some(page.clone()),
        // A pipe or device has no directory for the page.
        None => (file.is_file() && !file.starts_with("/dev")).then(|| file.with_extension("html")),
    };
    let outputs = [
        ("--html", page.as_ref()),
        ("--chart", options.chart.as_ref()),
        ("--into", options.into.as_ref()),
    ];
    check_distinct(file, &outputs)?;
    let report = read(file)?;
    if to_stdout {
        out.write_all(html::page(&report)?.as_bytes())?;
    }
    if let Some(page) = &options.into {
        insert(page, &text::all(&report, Style::Markdown))?;
    } else if !to_stdout {
        writeln!(out, "{}", text::all(&report, Style::Coloured))?;
    }
    if let Some(chart) = &options.chart {
        html::save_chart(&report, chart).map_err(|error| cannot_write(chart, &error, "--chart"))?;
    }
    if let Some(page) = page {
        html::save(&report, &page).map_err(|error| cannot_write(&page, &error, "--html"))?;
        if options.into.is_none() {
            writeln!(out, "\nWritten: {}", page.display())?;
        }
    }
    Ok(Outcome::Passed)
}

/// Checks that no output overwrites the report or another output.
fn check_distinct(file: &Path, outputs: &[(&str, Option<&PathBuf>)]) -> Result<(), Error> {
    let mut taken = vec![canonical(file)];
    for (option, output) in outputs {
        let Some(output) = output else { continue };
        let path = canonical(output);
        // Devices and pipes can be written several times.
        if taken.contains(&path) && (path.is_file() || !path.exists()) {
            return Err(Error::BadInput(format!(
                "{} is the report itself or another output; name another file with {option}",
                output.display()
            )));
        }
        taken.push(path);
    }
    Ok(())
}

/// A path without `.`, `..` and symbolic links; its last component need not exist.
fn canonical(path: &Path) -> PathBuf {
    let existing = || path.canonicalize().ok();
    let missing = || {
        let parent = match path.parent()? {
            parent if parent.as_os_str().is_empty() => Path::new("."),
            parent => parent,
        };
        Some(parent.canonicalize().ok()?.join(path.file_name()?))
    };
    existing()
        .or_else(missing)
        .unwrap_or_else(|| path.to_owned())
}

fn cannot_write(file: &Path, error: &io::Error, option: &str) -> Error {
    Error::BadInput(format!(
        "cannot write {}: {error}; name another file with {option}",
        file.display()
    ))
}

fn read(file: &Path) -> Result<Report, Error> {
    Report::read(file).map_err(|error| Error::BadInput(format!("{}: {error}", file.display())))
}

/// Replaces the text between the two marks of a Markdown page.
fn insert(page: &Path, text: &str) -> Result<(), Error> {
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
