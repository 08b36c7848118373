//! The probe as a program of its own: `cargo run -p probe --example ask -- example.com`.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

/// Says why a client of this server does, or does not, resume.
#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: probe::Options,
}

fn main() -> ExitCode {
    let options = Line::parse().options;
    let complain = |why: &str| {
        let _ = writeln!(io::stderr(), "ask: {why}");
    };
    match probe::run(&options, probe::is_coloured(), &mut io::stdout(), &complain) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(2)
        }
    }
}
