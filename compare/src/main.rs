//! The program `compare`.

use std::io::{self, Write};
use std::process::ExitCode;

use compare::cli::{self, Command};
use compare::error::{Error, Outcome};
use compare::{probe, run};

fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(stop) => return stop.print(),
    };
    let mut out = io::stdout().lock();
    let result = match &command {
        Command::Run(options) => run::run(options, &mut out),
        Command::Probe(options) => probe::run(options, &mut out),
    };
    match result.and_then(|outcome| {
        out.flush()?;
        Ok(outcome)
    }) {
        Ok(Outcome::AsClaimed) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        // Whoever read the output has seen enough.
        Err(Error::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
