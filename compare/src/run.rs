//! `compare run`: the sections in order, the report after each of them.

use std::fs;
use std::io::Write;
use std::path::Path;

use report::text::{self, Style};
use report::{Report, Section, goals};

use crate::cli::RunOptions;
use crate::environment;
use crate::error::{Error, Outcome, complain};
use crate::sections;

/// Runs the sections that were asked for, and prints what they found.
///
/// What is measured when the program is interrupted is saved.
pub fn run(options: &RunOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    let file = options.out.join("report.json");
    let mut report = Report::new(environment::detect(options.seed));
    for section in Section::ALL {
        let reason = if is_wanted(options, section) {
            "interrupted before it ended"
        } else {
            "not asked for: --only names others"
        };
        report
            .skipped
            .insert(section.as_str().to_owned(), reason.to_owned());
    }
    // At once: if it cannot be written, that should not come out after all the work.
    fs::create_dir_all(&options.out).map_err(|source| Error::Report {
        path: options.out.clone(),
        source,
    })?;
    save(&report, &file)?;
    writeln!(
        out,
        "{}",
        text::environment(&report.environment, Style::Terminal)
    )?;

    let mut outcome = Outcome::AsClaimed;
    for section in Section::ALL {
        if is_wanted(options, section) {
            report.skipped.remove(section.as_str());
            let mistakes = sections::run(section, options, &mut report);
            save(&report, &file)?;
            writeln!(
                out,
                "\n{}",
                text::section(section, &report, Style::Terminal)
            )?;
            for mistake in mistakes {
                outcome = Outcome::Failed;
                complain(mistake);
            }
        }
    }
    if let Some(goals) = goals::text(&report, Style::Terminal) {
        writeln!(out, "\n{goals}")?;
    }
    writeln!(out, "\nWritten: {}", file.display())?;
    Ok(outcome)
}

fn is_wanted(options: &RunOptions, section: Section) -> bool {
    options.only.is_empty() || options.only.contains(&section)
}

fn save(report: &Report, file: &Path) -> Result<(), Error> {
    report.save(file).map_err(|source| Error::Report {
        path: file.to_owned(),
        source,
    })
}
