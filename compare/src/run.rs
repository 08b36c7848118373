//! `compare run`: the sections in order, the report after each of them.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::cli::RunOptions;
use crate::environment::Environment;
use crate::error::{Error, Outcome, complain};
use crate::report::Report;
use crate::sections::Section;

/// Runs the sections that were asked for, and prints what they found.
///
/// What is measured when the program is interrupted is saved.
pub fn run(options: &RunOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    let file = options.out.join("report.json");
    let mut report = Report::new(Environment::detect(options.seed));
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
    introduce(&report.environment, out)?;

    let mut outcome = Outcome::AsClaimed;
    for section in Section::ALL {
        if is_wanted(options, section) {
            report.skipped.remove(section.as_str());
            let shown = section.run(options, &mut report);
            save(&report, &file)?;
            writeln!(out, "\n{}", shown.text)?;
            for mistake in shown.mistakes {
                outcome = Outcome::Failed;
                complain(mistake);
            }
        }
    }
    writeln!(out, "\nWritten: {}", file.display())?;
    Ok(outcome)
}

fn is_wanted(options: &RunOptions, section: Section) -> bool {
    options.only.is_empty() || options.only.contains(&section)
}

fn introduce(environment: &Environment, out: &mut impl Write) -> Result<(), Error> {
    let Environment {
        machine,
        cores,
        openssl,
        versions,
        allocator,
        ..
    } = environment;
    let version = |name: &str| versions.get(name).map_or("?", String::as_str);
    writeln!(
        out,
        "{machine}, {cores} cores; {}; allocator: {allocator}",
        environment.rustc
    )?;
    writeln!(
        out,
        "rustls {} on aws-lc-rs {}; {openssl}",
        version("rustls"),
        version("aws-lc-rs"),
    )?;
    for (what, how) in &environment.pinned {
        writeln!(out, "{what}: {how}")?;
    }
    if environment.profile != "release" {
        writeln!(out, "Built without --release: read no numbers from this.")?;
    }
    Ok(())
}

fn save(report: &Report, file: &Path) -> Result<(), Error> {
    report.save(file).map_err(|source| Error::Report {
        path: file.to_owned(),
        source,
    })
}
