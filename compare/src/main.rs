//! The program `compare`.

use std::io::{self, Write};
use std::process::ExitCode;

use compare::cli::{self, Command};
use compare::counting::Counting;
use compare::error::{Outcome, complain};
use compare::sections::{memory, tiers};
use compare::{run, serve, show};
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
    // What is coloured is so on a terminal only, and not where NO_COLOR is set.
    let mut out = ToTheEnd(anstream::AutoStream::auto(io::stdout().lock()));
    let result = match &command {
        Command::Run(options) => run::run(options, &mut out),
        Command::Report(options) => show::run(options, &mut out),
        Command::Probe(options) => {
            match probe::run(options, probe::is_coloured(), &mut out, &|why| {
                complain(why);
            }) {
                Ok(true) => Ok(Outcome::AsClaimed),
                Ok(false) => Ok(Outcome::Failed),
                Err(error) => Err(error.into()),
            }
        }
        Command::Serve(options) => serve::run(options, &mut out),
        Command::TiersWorker(options) => tiers::worker::run(options, &mut out),
        Command::MemoryWorker(options) => memory::worker::run(options, &mut out),
    };
    match result.and_then(|outcome| {
        out.flush()?;
        Ok(outcome)
    }) {
        Ok(Outcome::AsClaimed) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        Ok(Outcome::Interrupted) => ExitCode::from(130), // 128 and the number of SIGINT
        Err(error) => {
            complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// An output whose reader may leave before the end: the work goes on, and the exit code is its own.
struct ToTheEnd<W>(W);

impl<W: Write> Write for ToTheEnd<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        unless_left(self.0.write(buffer), buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        unless_left(self.0.flush(), ())
    }
}

fn unless_left<T>(done: io::Result<T>, instead: T) -> io::Result<T> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(instead),
        done => done,
    }
}
