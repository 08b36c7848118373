//! `compare run`: prints the results of a run.

use std::fs;
use std::io::{self, Write};

use report::Section;
use report::text::{self, Style};

use crate::args::RunOptions;
use crate::error::{Error, Outcome, print_message};
use crate::interrupt;
use crate::run::{Event, Finished, Run};
use crate::section_names::name;

/// Runs the sections and prints a table as soon as its section has ended, with colours, which `out`
/// removes where they do not belong. If a signal comes, the finished sections are saved.
///
/// For the program `compare` only: it handles signals and starts itself as child processes.
pub fn run(options: &RunOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    interrupt::install(|| {})?;
    let run = Run {
        full: options.full,
        only: options.only.clone(),
        seed: options.seed,
        custom_stores: Vec::new(),
        rounds: None,
        is_compare: true,
    };
    let mut show = |text: &str| -> Result<(), Error> {
        if options.json {
            // Failures are ignored: the document is what was asked for.
            let _ = writeln!(anstream::AutoStream::auto(io::stderr()), "{text}");
            Ok(())
        } else {
            writeln!(out, "{text}")?;
            Ok(out.flush()?)
        }
    };
    let finished = run.measure(&options.out, &mut |event| match event {
        Event::Started(report) => show(&text::environment(&report.environment, Style::Coloured)),
        Event::SectionDone {
            section,
            report,
            failures,
        } => {
            let text = text::section(section, report, Style::Coloured);
            show(&format!("\n{text}"))?;
            failures.iter().for_each(print_message);
            Ok(())
        }
    })?;
    if let Some(goals) = text::goals(&finished.report, Style::Coloured) {
        show(&format!("\n{goals}"))?;
    }
    if !finished.saved.is_empty() {
        show(&summary(&finished))?;
    }
    if options.json && !finished.saved.is_empty() {
        let document = fs::read(&finished.file).map_err(|source| Error::Report {
            path: finished.file.clone(),
            source,
        })?;
        out.write_all(&document)?;
    }
    if let Some(section) = finished.interrupted {
        print_message(interrupted(section, &finished));
        return Ok(Outcome::Interrupted);
    }
    Ok(if finished.failures.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed
    })
}

/// The findings, and where the report is.
fn summary(finished: &Finished) -> String {
    let findings = text::findings(&finished.report, Style::Coloured);
    let (file, page) = (finished.file.display(), finished.page());
    format!(
        "\n{findings}\n\nWritten: {file}\nWritten: {}",
        page.display()
    )
}

fn interrupted(section: Section, finished: &Finished) -> String {
    let saved: Vec<_> = finished.saved.iter().map(|&saved| name(saved)).collect();
    let (section, file) = (name(section), finished.file.display());
    match saved.as_slice() {
        [] => format!("interrupted in {section}: no section had ended, nothing was written"),
        [one] => format!("interrupted in {section}: {one} is saved, in {file}"),
        several => {
            let several = several.join(", ");
            format!("interrupted in {section}: {several} are saved, in {file}")
        }
    }
}
