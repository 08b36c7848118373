//! `compare report`: what a saved report says, for people to read, and what any promises to programs.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use report::text::{self, Style};
use report::{Report, html};

use crate::cli::ReportOptions;
use crate::error::{Error, Outcome};

/// Between these two lines of a page stands what was measured.
const BEGIN: &str = "<!-- measured: written by `compare report` -->";
const END: &str = "<!-- end of what was measured -->";

/// Reads a report and shows it: as text, and as a page in HTML.
pub fn run(options: &ReportOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    let Some(file) = &options.file else {
        out.write_all(report::schema().as_bytes())?;
        return Ok(Outcome::AsClaimed);
    };
    let to_stdout = options.html.as_deref() == Some(Path::new("-"));
    let page = match &options.html {
        _ if to_stdout => None,
        Some(page) => Some(page.clone()),
        // Beside a pipe there is no place for it.
        None => (file.is_file() && !file.starts_with("/dev")).then(|| file.with_extension("html")),
    };
    let outputs = [
        ("--html", page.as_ref()),
        ("--chart", options.chart.as_ref()),
        ("--into", options.into.as_ref()),
    ];
    each_in_its_place(file, &outputs)?;
    let report = read(file)?;
    if to_stdout {
        out.write_all(html::page(&report)?.as_bytes())?;
    }
    if let Some(page) = &options.into {
        splice(page, &text::all(&report, Style::Markdown))?;
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
    Ok(Outcome::AsClaimed)
}

/// What is written replaces neither the report nor what is written beside it.
fn each_in_its_place(file: &Path, outputs: &[(&str, Option<&PathBuf>)]) -> Result<(), Error> {
    let mut taken = vec![place(file)];
    for (option, output) in outputs {
        let Some(output) = output else { continue };
        let place = place(output);
        // Devices and pipes take whatever comes.
        if taken.contains(&place) && (place.is_file() || !place.exists()) {
            return Err(Error::BadInput(format!(
                "{} is the report itself, or is written twice; name another place with {option}",
                output.display()
            )));
        }
        taken.push(place);
    }
    Ok(())
}

/// The same for all spellings of a path.
fn place(path: &Path) -> PathBuf {
    let whole = || path.canonicalize().ok();
    let named = || {
        let parent = match path.parent()? {
            parent if parent.as_os_str().is_empty() => Path::new("."),
            parent => parent,
        };
        Some(parent.canonicalize().ok()?.join(path.file_name()?))
    };
    whole().or_else(named).unwrap_or_else(|| path.to_owned())
}

fn cannot_write(file: &Path, error: &io::Error, option: &str) -> Error {
    Error::BadInput(format!(
        "cannot write {}: {error}; name another place with {option}",
        file.display()
    ))
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
