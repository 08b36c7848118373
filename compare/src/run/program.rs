//! `compare run`: what it prints.

use std::fs;
use std::io::{self, Write};

use report::text::{self, Style};
use report::Section;

use super::{Measured, Moment, Run};
use crate::cli::RunOptions;
use crate::error::{Error, Outcome, complain};
use crate::interrupt;
use crate::sections::name;

/// Runs the sections that were asked for, and prints what they found, with colours: whatever shows
/// `out` takes them away where they do not belong. What was measured when the program is interrupted
/// is saved.
///
/// For the program `compare` only: it listens to signals, and starts itself again.
pub fn run(options: &RunOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    interrupt::listen(|| {})?;
    let run = Run {
        quick: options.quick,
        only: options.only.clone(),
        seed: options.seed,
        own: Vec::new(),
        rounds: None,
        is_compare: true,
    };
    let mut show = |text: &str| -> Result<(), Error> {
        if options.json {
            // Nobody need read it: the document is what was asked for.
            let _ = writeln!(anstream::AutoStream::auto(io::stderr()), "{text}");
            Ok(())
        } else {
            Ok(writeln!(out, "{text}")?)
        }
    };
    let measured = run.measure(&options.out, &mut |moment| match moment {
        Moment::Begin(report) => show(&text::environment(&report.environment, Style::Coloured)),
        Moment::Ended {
            section,
            report,
            mistakes,
        } => {
            let text = text::section(section, report, Style::Coloured);
            show(&format!("\n{text}"))?;
            mistakes.iter().for_each(complain);
            Ok(())
        }
    })?;
    if let Some(goals) = text::goals(&measured.report, Style::Coloured) {
        show(&format!("\n{goals}"))?;
    }
    let (file, page) = (measured.file.display(), measured.page());
    if !measured.saved.is_empty() {
        show(&format!("\nWritten: {file}\nWritten: {}", page.display()))?;
    }
    if options.json && !measured.saved.is_empty() {
        let document = fs::read(&measured.file).map_err(|source| Error::Report {
            path: measured.file.clone(),
            source,
        })?;
        out.write_all(&document)?;
    }
    if let Some(section) = measured.interrupted {
        complain(interrupted(section, &measured));
        return Ok(Outcome::Interrupted);
    }
    Ok(if measured.mistakes.is_empty() {
        Outcome::AsClaimed
    } else {
        Outcome::Failed
    })
}

fn interrupted(section: Section, measured: &Measured) -> String {
    let saved: Vec<_> = measured.saved.iter().map(|&saved| name(saved)).collect();
    let (section, file) = (name(section), measured.file.display());
    match saved.as_slice() {
        [] => format!("interrupted in {section}: no section had ended, nothing was written"),
        [one] => format!("interrupted in {section}: {one} is saved, in {file}"),
        several => {
            let several = several.join(", ");
            format!("interrupted in {section}: {several} are saved, in {file}")
        }
    }
}
