//! `compare run`: the sections in order, the report after each of them.

use std::env;
use std::fs;
use std::io::Write;
use std::path::Path;

use crate::cli::RunOptions;
use crate::environment::Environment;
use crate::error::{Error, Outcome, complain};
use crate::progress;
use crate::report::Report;
use crate::sections::{Section, equivalence, handshakes, tiers};

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
            let (text, mistakes) = fill(&mut report, section, options);
            save(&report, &file)?;
            writeln!(out, "\n{text}")?;
            for mistake in mistakes {
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

/// Runs a section into the report; gives its text and what went wrong.
fn fill(report: &mut Report, section: Section, options: &RunOptions) -> (String, Vec<String>) {
    match section {
        Section::Handshakes => {
            let plan = if options.quick {
                handshakes::Plan::quick(options.seed)
            } else {
                handshakes::Plan::full(options.seed)
            };
            let bar = progress::bar(plan.steps(), "handshakes");
            report.handshakes = handshakes::measure(&plan, &mut |what| {
                bar.set_message(what.to_owned());
                bar.inc(1);
            });
            bar.finish_and_clear();
            let title = "A handshake's client time, median. Saves: full over resumed from the \
                         store.\nStore: what the store costs above a session in hand.";
            let rows = &report.handshakes;
            let text = format!("{title}\n{}", handshakes::show(rows));
            (text, handshakes::errors(rows).collect())
        }
        Section::Tiers => {
            let measured = measure_tiers(options);
            report.tiers.clone_from(&measured.rows);
            report.skipped.extend(measured.skipped());
            let title = "What places beyond the process take, with so many processes at work.\n\
                         Put and take: one call of the tier. Prefetch: until a session is in memory.";
            let text = format!("{title}\n{}", tiers::show(&measured));
            (text, tiers::errors(&measured).collect())
        }
        Section::Equivalence => {
            let bar = progress::bar(equivalence::steps(), "equivalence");
            report.equivalence = equivalence::check(&mut |what| {
                bar.set_message(what.to_owned());
                bar.inc(1);
            });
            bar.finish_and_clear();
            let rows = &report.equivalence;
            let text = format!(
                "Rules that every backend has to follow.\n{}",
                equivalence::show(rows)
            );
            (text, equivalence::failures(rows).collect())
        }
    }
}

fn measure_tiers(options: &RunOptions) -> tiers::Measured {
    let program = match env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            let reason = format!("cannot find this program to start it again: {error}");
            let failed = vec![("lmdb", reason.clone()), ("redis", reason)];
            return tiers::Measured {
                failed,
                ..Default::default()
            };
        }
    };
    let plan = if options.quick {
        tiers::Plan::quick(program)
    } else {
        tiers::Plan::full(program)
    };
    let bar = progress::bar(tiers::steps(), "tiers");
    let measured = tiers::measure(&plan, &mut |what| {
        bar.set_message(what.to_owned());
        bar.inc(1);
    });
    bar.finish_and_clear();
    measured
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
