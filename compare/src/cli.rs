//! The command line.

use std::ffi::OsString;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use report::Section;

use crate::error::complain;
use crate::sections::memory::worker as memory_worker;
use crate::sections::tiers::worker as tiers_worker;
use crate::serve;

/// Measures, checks and probes TLS session resumption on rustls and on OpenSSL.
#[derive(Debug, Parser)]
#[command(name = "compare", version)]
#[command(after_help = "Without a command, `compare run` is run.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Measure and check the backends side by side, and write report.json
    Run(RunOptions),
    /// Show a saved report.json again: as text, and as a page in HTML beside it
    Report(ReportOptions),
    /// Connect to a server several times and say whether it lets clients resume
    Probe(probe::Options),
    /// Serve any client, and say of each connection whether it offered a session and resumed
    Serve(serve::Options),
    /// One of the processes of the section `tiers`
    #[command(name = tiers_worker::NAME, hide = true)]
    TiersWorker(tiers_worker::WorkerOptions),
    /// The process of one row of the section `memory`
    #[command(name = memory_worker::NAME, hide = true)]
    MemoryWorker(memory_worker::WorkerOptions),
}

/// Arguments of `compare run`.
#[derive(Clone, Debug, Args)]
pub struct RunOptions {
    /// Fewer rounds and one kind of key: ends within a minute
    #[arg(long)]
    pub quick: bool,
    /// Only these sections, separated by commas
    #[arg(long, value_name = "SECTIONS", value_delimiter = ',')]
    pub only: Vec<Section>,
    /// The directory for report.json
    #[arg(long, value_name = "DIR", default_value = "target/compare")]
    pub out: PathBuf,
    /// The seed of the order in which variants are measured
    #[arg(long, value_name = "N", default_value_t = 0)]
    #[arg(value_parser = number(0..=u64::MAX), allow_negative_numbers = true)]
    pub seed: u64,
    /// Print report.json instead of tables, which go to standard error
    #[arg(long)]
    pub json: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            quick: false,
            only: Vec::new(),
            out: PathBuf::from("target/compare"),
            seed: 0,
            json: false,
        }
    }
}

/// Arguments of `compare report`.
#[derive(Clone, Debug, Args)]
pub struct ReportOptions {
    /// What `compare run` has written
    #[arg(value_name = "FILE", required_unless_present = "schema")]
    pub file: Option<PathBuf>,
    /// Where to write the page in HTML: beside FILE, if this is not given. `-`: to standard output,
    /// instead of the text
    #[arg(long, value_name = "OUT")]
    pub html: Option<PathBuf>,
    /// A page in Markdown: replaces what stands there between two marks, instead of printing the
    /// text
    #[arg(long, value_name = "PAGE")]
    pub into: Option<PathBuf>,
    /// Where to write one chart as SVG: handshakes, full and resumed, on each library
    #[arg(long, value_name = "SVG")]
    pub chart: Option<PathBuf>,
    /// Print the JSON Schema of report.json, and do nothing else
    #[arg(long, exclusive = true)]
    pub schema: bool,
}

/// Reads the command line. No arguments at all mean `compare run`.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Stop> {
    let cli = Cli::try_parse_from(args).map_err(Stop)?;
    Ok(cli
        .command
        .unwrap_or_else(|| Command::Run(RunOptions::default())))
}

/// The command line says nothing to do: it asks for help, or it is wrong.
#[derive(Debug)]
pub struct Stop(clap::Error);

impl Stop {
    /// Prints what there is to say and gives the exit code: 0 for help, 2 for a mistake.
    pub fn print(&self) -> ExitCode {
        if self.0.use_stderr()
            && self.0.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        {
            complain(self.line());
            return ExitCode::from(2);
        }
        // Where help cannot be printed, neither can the reason.
        let _ = self.0.print();
        ExitCode::SUCCESS
    }

    /// The mistake in one line: clap spreads it, a hint and the usage over several.
    fn line(&self) -> String {
        let text = self.0.to_string();
        let words: Vec<_> = text
            .lines()
            .map(str::trim)
            .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
            .filter(|line| !line.is_empty())
            .map(|line| line.trim_start_matches("error: "))
            .collect();
        format!("{}; see --help", words.join("; ").replace(":; ", ": "))
    }
}

/// Reads a number, and names the range for whatever is none.
pub(crate) fn number<T>(range: RangeInclusive<T>) -> impl TypedValueParser<Value = T>
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text: &str| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("give a number from {} to {}", range.start(), range.end()))
    }
}

#[cfg(test)]
mod tests {
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
    fn what_the_program_asks_itself_is_not_in_the_help() {
        let help = parse_line("compare --help").unwrap_err();
        assert!(help.contains("probe"), "{help}");
        for name in [tiers_worker::NAME, memory_worker::NAME] {
            assert!(!help.contains(name), "{help}");
        }
        assert!(parse_line("compare tiers-worker lmdb:sessions 1").is_ok());
        assert!(parse_line("compare memory-worker preview 1.3 10 1 2").is_ok());
    }

    #[test]
    fn mistakes_are_one_line() {
        for (line, says) in [
            ("compare run --bogus", "--bogus"),
            ("compare run --only bogus", "handshakes"),
            ("compare probe", "HOST"),
            ("compare probe localhost --connections 0", "--connections"),
            ("compare probe localhost --tls 1.1", "1.2"),
            ("compare probe ::1", "[::1]"),
            ("compare bogus", "bogus"),
        ] {
            let mistake = parse_line(line).unwrap_err();
            assert!(mistake.contains(says), "{line}: {mistake}");
            assert!(!mistake.contains('\n'), "{line}: {mistake}");
        }
    }
}
