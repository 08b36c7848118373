//! Simulates fleets of machines that share sessions, and prints tables:
//! `cargo run --release -p peers --example fleet -- [--seed N] [--quick] [--charts DIR]`.

use std::path::PathBuf;
use std::process::ExitCode;

use peers::fleet::scenarios::{self, Curve, Plan};

const USAGE: &str = "give [--seed NUMBER] [--quick] [--charts DIRECTORY]";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("fleet: {why}");
            ExitCode::from(2)
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let (mut seed, mut quick, mut charts) = (0, false, None);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} lacks a value: {USAGE}"))
        };
        match argument.as_str() {
            "--quick" => quick = true,
            "--charts" => charts = Some(PathBuf::from(value()?)),
            "--seed" => {
                let number = value()?;
                let parsed = number.parse();
                seed = parsed.map_err(|_| format!("--seed {number:?} is no number: {USAGE}"))?;
            }
            _ => return Err(format!("unknown argument {argument:?}: {USAGE}")),
        }
    }
    let plan = if quick {
        Plan::small(seed)
    } else {
        Plan::full(seed)
    };
    let results = scenarios::run(&plan, &mut |what| eprintln!("{what}"));
    for table in &results.tables {
        println!("{table}");
    }
    let Some(directory) = charts else {
        return Ok(());
    };
    for curve in &results.curves {
        let file = directory.join(curve.name).with_extension("svg");
        let written = draw(curve).and_then(|svg| std::fs::write(&file, svg));
        written.map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    Ok(())
}

fn draw(curve: &Curve) -> std::io::Result<String> {
    let lines = curve
        .lines
        .iter()
        .map(|line| (line.label, line.percent.as_slice()));
    report::html::percentages(&report::html::Percentages {
        title: &curve.title,
        note: &curve.note,
        step: curve.step,
        steps: &curve.steps,
        lines: &lines.collect::<Vec<_>>(),
    })
}
