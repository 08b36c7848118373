//! Arguments of `compare run` and `compare report`, and how numbers are parsed.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::TypedValueParser;
use report::Section;

/// Arguments of `compare run`.
#[derive(Clone, Debug, Args)]
pub struct RunOptions {
    /// Measure with many rounds, all kinds of keys and larger stores: takes a quarter of an hour
    #[arg(long)]
    pub full: bool,
    /// Run only these sections, separated by commas
    #[arg(long, value_name = "SECTIONS", value_delimiter = ',')]
    pub only: Vec<Section>,
    /// Write report.json and report.html to this directory
    #[arg(long, value_name = "DIR", default_value = "target/compare")]
    pub out: PathBuf,
    /// Seed of all random choices, such as the order of measurements
    #[arg(long, value_name = "N", default_value_t = 0)]
    #[arg(value_parser = number(0..=u64::MAX), allow_negative_numbers = true)]
    pub seed: u64,
    /// Print report.json to standard output, and tables to standard error
    #[arg(long)]
    pub json: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            full: false,
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
    /// A report.json that `compare run` has written
    #[arg(value_name = "FILE", required_unless_present = "schema")]
    pub file: Option<PathBuf>,
    /// Write the HTML page to this file; `-` is standard output, without the text [default: next to
    /// FILE]
    #[arg(long, value_name = "OUT")]
    pub html: Option<PathBuf>,
    /// Insert the text into this Markdown page, between its two marks, instead of printing it
    #[arg(long, value_name = "PAGE")]
    pub into: Option<PathBuf>,
    /// Write the chart of full and resumed handshakes to this file, as SVG
    #[arg(long, value_name = "SVG")]
    pub chart: Option<PathBuf>,
    /// Print the JSON Schema of report.json and exit
    #[arg(long, exclusive = true)]
    pub schema: bool,
}

/// Parses a number; the error names the range.
pub(crate) fn number<T>(range: RangeInclusive<T>) -> impl TypedValueParser<Value = T>
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text: &str| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("give a number from {} to {}", range.start(), range.end()))
    }
}
