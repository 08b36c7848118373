//! The program `compare`.

use std::io::{self, Write};
use std::process::ExitCode;

use compare::cli::{self, Command};
use compare::counting::Counting;
use compare::error::{Outcome, print_message};
use compare::sections::{fleet, memory, tiers};
use compare::{report_command, run_command, serve, tier_command, watch};
use conformance::child;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    if child::is_requested() {
        return child::main();
    }
    let command = match cli::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(stop) => return stop.print(),
    };
    // Removes colours unless standard output is a terminal and NO_COLOR is not set.
    let mut out = IgnoreBrokenPipe(anstream::AutoStream::auto(io::stdout().lock()));
    let result = match &command {
        Command::Run(options) => run_command::run(options, &mut out),
        Command::Report(options) => report_command::run(options, &mut out),
        Command::Probe(options) => {
            match probe::run(options, probe::is_coloured(), &mut out, &|why| {
                print_message(why);
            }) {
                Ok(true) => Ok(Outcome::Passed),
                Ok(false) => Ok(Outcome::Failed),
                Err(error) => Err(error.into()),
            }
        }
        Command::Tier(options) => tier_command::run(options, &mut out),
        Command::Serve(options) => serve::run(options, &mut out),
        Command::Watch(options) => watch::run(options, &mut out),
        Command::TiersWorker(options) => tiers::worker::run(options, &mut out),
        Command::FleetWorker(options) => fleet::worker::run(options, &mut out),
        Command::MemoryWorker(options) => memory::worker::run(options, &mut out),
    };
    match result.and_then(|outcome| {
        out.flush()?;
        Ok(outcome)
    }) {
        Ok(Outcome::Passed) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        Ok(Outcome::Interrupted) => ExitCode::from(130), // 128 + SIGINT
        Err(error) => {
            print_message(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Standard output; a broken pipe is not an error.
struct IgnoreBrokenPipe<W>(W);

impl<W: Write> Write for IgnoreBrokenPipe<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        ignore_broken_pipe(self.0.write(buffer), buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        ignore_broken_pipe(self.0.flush(), ())
    }
}

fn ignore_broken_pipe<T>(result: io::Result<T>, instead: T) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(instead),
        result => result,
    }
}
