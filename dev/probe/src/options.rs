//! What a probe is asked to do.

use std::ffi::OsStr;
use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Args, Command, ValueEnum};

use tls_resume::Protocol;

use crate::{Backend, Place, StartTls, Target};

/// What to probe, and how: a group of arguments of clap, to be flattened or used as a subcommand's.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The server; the port is 443 unless given, IPv6 addresses stand in brackets
    #[arg(value_name = "HOST[:PORT]")]
    pub target: Target,
    /// Who connects; with a --store beyond memory, `all` are openssl and rustls-preview
    #[arg(long, value_name = "NAME", value_enum, default_value_t = BackendChoice::All)]
    pub backend: BackendChoice,
    /// How many connections each backend makes; 5 unless given, and with --concurrency K, 1 and K
    #[arg(long, value_name = "N")]
    #[arg(value_parser = number(1..=100_000_usize), allow_negative_numbers = true)]
    pub connections: Option<usize>,
    /// How many of them at a time, after a first one that is alone
    #[arg(long, value_name = "K", default_value_t = 1)]
    #[arg(value_parser = number(1..=1_024_usize), allow_negative_numbers = true)]
    pub concurrency: usize,
    /// Connect to this address instead of asking for HOST's; may be repeated
    #[arg(long = "address", value_name = "IP")]
    pub addresses: Vec<IpAddr>,
    /// Whether a session from one address of HOST resumes at each other
    #[arg(long)]
    pub all_addresses: bool,
    /// Ask for TLS in this protocol first; its port is the default then
    #[arg(long, value_name = "PROTOCOL", value_enum)]
    pub starttls: Option<StartTls>,
    /// Only this version of TLS
    #[arg(long, value_name = "VERSION", value_parser = Versions)]
    pub tls: Option<Protocol>,
    /// A PEM file with the roots to trust instead of Mozilla's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The name to ask for and to verify, if it is not HOST
    #[arg(long, value_name = "NAME")]
    pub sni: Option<String>,
    /// Where sessions are kept
    #[arg(long, value_name = "PLACE", default_value = "memory")]
    #[arg(
        help = "Where sessions are kept: memory, or where other processes find them: lmdb:DIR or \
                redis://HOST[:PORT]"
    )]
    pub store: Place,
    /// The file with the keys that seal what leaves memory; it is made if it is not there
    #[arg(long, value_name = "FILE")]
    pub store_keys: Option<PathBuf>,
    /// Shares no sessions with probes of another name
    #[arg(long, value_name = "NAME")]
    pub domain: Option<String>,
    /// Seconds that connecting, and then the handshake, may take
    #[arg(long, value_name = "S", default_value = "10")]
    #[arg(value_parser = seconds(), allow_negative_numbers = true)]
    pub timeout: Duration,
    /// One JSON object a line instead of tables
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// What the command line means when it names a server and nothing else.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            backend: BackendChoice::All,
            connections: None,
            concurrency: 1,
            addresses: Vec::new(),
            all_addresses: false,
            starttls: None,
            tls: None,
            ca: None,
            sni: None,
            store: Place::default(),
            store_keys: None,
            domain: None,
            timeout: Duration::from_secs(10),
            json: false,
        }
    }

    /// How many connections each backend makes, beside those of the experiments.
    pub fn connections(&self) -> usize {
        match (self.connections, self.concurrency) {
            (Some(count), _) => count,
            (None, 1) => 5,
            (None, at_once) => 1 + at_once,
        }
    }

    /// The port of the server.
    pub fn port(&self) -> u16 {
        let begins_at_once = || self.starttls.map_or(443, StartTls::port);
        self.target.port.unwrap_or_else(begins_at_once)
    }

    /// The name that is asked for and verified.
    pub fn name(&self) -> &str {
        self.sni.as_deref().unwrap_or(&self.target.host)
    }
}

/// The values of `--backend`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackendChoice {
    /// rustls 0.23 with aws-lc-rs
    Rustls,
    /// OpenSSL
    Openssl,
    /// The preview of the next rustls with aws-lc-rs
    RustlsPreview,
    /// One after the other
    All,
}

impl BackendChoice {
    /// The backends that this stands for.
    pub fn backends(self) -> &'static [Backend] {
        match self {
            Self::Rustls => &[Backend::Rustls],
            Self::Openssl => &[Backend::OpenSsl],
            Self::RustlsPreview => &[Backend::RustlsPreview],
            Self::All => &Backend::ALL,
        }
    }
}

/// Reads a version of TLS, and names those that there are for whatever is none: to take `1.1` for a
/// slip of the pen, as clap does, would mislead.
#[derive(Clone)]
struct Versions;

impl TypedValueParser for Versions {
    type Value = Protocol;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        text: &OsStr,
    ) -> Result<Protocol, clap::Error> {
        let read = |text: &str| text.parse::<Protocol>().map_err(|error| error.to_string());
        read.parse_ref(command, argument, text)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let versions = Protocol::ALL
            .map(|version| PossibleValue::new(version.as_str()).help(version.to_string()));
        Some(Box::new(versions.into_iter()))
    }
}

/// Reads a number, and names the range for whatever is none.
fn number<T>(range: RangeInclusive<T>) -> impl TypedValueParser<Value = T>
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text: &str| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("give a number from {} to {}", range.start(), range.end()))
    }
}

fn seconds() -> impl TypedValueParser<Value = Duration> {
    number(1..=86_400_u64).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parse(line: &str) -> Options {
        let words = line.split_whitespace();
        Line::try_parse_from(["probe"].into_iter().chain(words))
            .unwrap()
            .options
    }

    #[test]
    fn a_program_has_the_defaults_of_the_command_line() {
        let options = Options::new("example.org".parse().unwrap());
        assert_eq!(
            format!("{options:?}"),
            format!("{:?}", parse("example.org"))
        );
    }

    #[test]
    fn ports_and_names_have_their_defaults() {
        for (line, port, name) in [
            ("example.org", 443, "example.org"),
            ("example.org --starttls smtp", 25, "example.org"),
            ("example.org:26 --starttls smtp --sni a.b", 26, "a.b"),
        ] {
            let options = parse(line);
            assert_eq!((options.port(), options.name()), (port, name), "{line}");
        }
    }

    #[test]
    fn versions_that_there_are_not_have_no_lookalike() {
        assert_eq!(parse("a --tls 1.2").tls, Some(Protocol::Tls12));
        let error = Line::try_parse_from(["probe", "a", "--tls", "1.1"]).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("give 1.2 or 1.3"), "{said}");
        assert!(!said.contains("similar"), "{said}");
    }

    #[test]
    fn a_burst_comes_after_one() {
        for (line, count) in [
            ("a", 5),
            ("a --concurrency 16", 17),
            ("a --concurrency 16 --connections 3", 3),
        ] {
            assert_eq!(parse(line).connections(), count, "{line}");
        }
    }
}
