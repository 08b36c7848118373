//! The probe as a program of its own: `cargo run -p probe --example probe -- example.com`.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

/// Tests whether a TLS server lets clients resume, and why not.
#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    options: probe::Options,
}

fn main() -> ExitCode {
    let options = CommandLine::parse().options;
    let on_error = |message: &str| {
        let _ = writeln!(io::stderr(), "probe: {message}");
    };
    match probe::run(&options, probe::is_coloured(), &mut io::stdout(), &on_error) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            on_error(&error.to_string());
            ExitCode::from(2)
        }
    }
}
