//! The command line.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::args::{ReportOptions, RunOptions};
use crate::error::print_message;
use crate::sections::fleet::worker as fleet_worker;
use crate::sections::memory::worker as memory_worker;
use crate::sections::tiers::worker as tiers_worker;
use crate::tier_command::TierOptions;
use crate::{serve, watch};

/// Measures, checks and probes TLS session resumption with rustls and OpenSSL.
#[derive(Debug, Parser)]
#[command(name = "compare", version)]
#[command(after_help = "Without a command, `compare run` runs.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Measure and check both backends: a minute, with --full a quarter of an hour
    Run(RunOptions),
    /// Show a saved report.json as text and as an HTML page
    Report(ReportOptions),
    /// Connect to a server several times and say whether it lets clients resume
    Probe(probe::Options),
    /// Look at a Redis in which sessions are shared, and say what is wrong with it
    Tier(TierOptions),
    /// Start a test server that prints for each connection whether it resumed
    Serve(serve::Options),
    /// Show the metrics of a running program: what resumes, and what does not
    Watch(watch::Options),
    /// A worker process of the section `tiers`
    #[command(name = tiers_worker::NAME, hide = true)]
    TiersWorker(tiers_worker::WorkerOptions),
    /// A client process of the section `fleet`
    #[command(name = fleet_worker::NAME, hide = true)]
    FleetWorker(fleet_worker::WorkerOptions),
    /// The process of one row of the section `memory`
    #[command(name = memory_worker::NAME, hide = true)]
    MemoryWorker(memory_worker::WorkerOptions),
}

/// Parses the command line. No arguments mean `compare run`.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Stop> {
    let cli = Cli::try_parse_from(args).map_err(Stop)?;
    Ok(cli
        .command
        .unwrap_or_else(|| Command::Run(RunOptions::default())))
}

/// A command line without a command to run: it asks for help, or is wrong.
#[derive(Debug)]
pub struct Stop(clap::Error);

impl Stop {
    /// Prints the help or the error. Returns the exit code: 0 for help, 2 for an error.
    pub fn print(&self) -> ExitCode {
        if self.0.use_stderr()
            && self.0.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        {
            print_message(self.line());
            return ExitCode::from(2);
        }
        let _ = self.0.print(); // if it fails, the reason cannot be printed either
        ExitCode::SUCCESS
    }

    /// The error in one line. clap prints it, a hint and the usage on several lines.
    fn line(&self) -> String {
        let text = self.0.to_string();
        let lines: Vec<_> = text
            .lines()
            .map(str::trim)
            .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
            .filter(|line| !line.is_empty())
            .map(|line| line.trim_start_matches("error: "))
            .collect();
        format!("{}; see --help", lines.join("; ").replace(":; ", ": "))
    }
}

#[cfg(test)]
mod tests {
    use report::Section;

    use super::*;

    fn parse_line(line: &str) -> Result<Command, String> {
        let words = line.split_whitespace().map(OsString::from);
        parse(words).map_err(|stop| stop.line())
    }

    #[test]
    fn no_arguments_mean_run() {
        let Ok(Command::Run(options)) = parse_line("compare") else {
            panic!("not `run`");
        };
        let Ok(Command::Run(explicit)) = parse_line("compare run") else {
            panic!("not `run`");
        };
        assert_eq!(format!("{options:?}"), format!("{explicit:?}"));
        assert!(!options.full);
    }

    #[test]
    fn sections_are_a_list() {
        let Ok(Command::Run(options)) = parse_line("compare run --only equivalence,handshakes")
        else {
            panic!("not `run`");
        };
        assert_eq!(options.only, [Section::Equivalence, Section::Handshakes]);
    }

    #[test]
    fn internal_commands_are_not_in_the_help() {
        let help = parse_line("compare --help").unwrap_err();
        assert!(help.contains("probe"), "{help}");
        for name in [tiers_worker::NAME, fleet_worker::NAME, memory_worker::NAME] {
            assert!(!help.contains(name), "{help}");
        }
        assert!(parse_line("compare tiers-worker lmdb:sessions 1").is_ok());
        assert!(parse_line("compare fleet-worker redis://h roots keys 1 2 3 4 5").is_ok());
        assert!(parse_line("compare memory-worker preview 1.3 10 1 2").is_ok());
    }

    #[test]
    fn errors_are_one_line() {
        for (line, message) in [
            ("compare run --bogus", "--bogus"),
            ("compare run --only bogus", "handshakes"),
            ("compare probe", "HOST"),
            ("compare probe localhost --connections 0", "--connections"),
            ("compare probe localhost --tls 1.1", "1.2"),
            ("compare probe ::1", "[::1]"),
            ("compare watch", "URL"),
            (
                "compare watch localhost:9464",
                "http://127.0.0.1:9464/metrics",
            ),
            ("compare bogus", "bogus"),
        ] {
            let error = parse_line(line).unwrap_err();
            assert!(error.contains(message), "{line}: {error}");
            assert!(!error.contains('\n'), "{line}: {error}");
        }
    }
}
