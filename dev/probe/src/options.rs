//! The arguments of a probe.

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

use crate::{Backend, StartTls, StoreLocation, Target};

/// What to probe, and how: arguments of clap, to be flattened or used as a subcommand's.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The server; port 443, or that of --starttls, by default; IPv6 addresses in brackets
    #[arg(value_name = "HOST[:PORT]")]
    pub target: Target,
    /// The backend that connects; with LMDB or Redis, `all` means openssl and rustls-preview
    #[arg(long, value_name = "NAME", value_enum, default_value_t = BackendChoice::All)]
    pub backend: BackendChoice,
    /// Number of connections per backend [default: 5, or 1 + K with --concurrency K]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = number(1..=100_000_usize), allow_negative_numbers = true)]
    pub connections: Option<usize>,
    /// Number of connections at the same time, after a first one alone
    #[arg(long, value_name = "K", default_value_t = 1)]
    #[arg(value_parser = number(1..=1_024_usize), allow_negative_numbers = true)]
    pub concurrency: usize,
    /// Connect to this address instead of those of HOST; may be repeated
    #[arg(long = "address", value_name = "IP")]
    pub addresses: Vec<IpAddr>,
    /// Test whether the addresses of HOST resume each other's sessions
    #[arg(long)]
    pub all_addresses: bool,
    /// Start TLS with this protocol's command
    #[arg(long, value_name = "PROTOCOL", value_enum)]
    pub starttls: Option<StartTls>,
    /// Use this TLS version only
    #[arg(long, value_name = "VERSION", value_parser = ProtocolParser)]
    pub tls: Option<Protocol>,
    /// PEM file with the root certificates to trust instead of Mozilla's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// PEM file with a client certificate, then its intermediates; needs --key
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// PEM file with the private key of --cert
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Server name to send and to verify [default: HOST]
    #[arg(long, value_name = "NAME")]
    pub sni: Option<String>,
    /// Where sessions are stored.
    #[arg(long, value_name = "STORE", default_value = "memory")]
    #[arg(help = "Where sessions are stored: memory, lmdb:DIR or redis://HOST[:PORT]")]
    pub store: StoreLocation,
    /// File with the keys that seal sessions in LMDB or Redis; created if it does not exist
    #[arg(long, value_name = "FILE")]
    pub store_keys: Option<PathBuf>,
    /// Offer a TLS 1.3 ticket until the server renews it; not with rustls 0.23, whose tickets cannot be
    /// copied
    #[arg(long)]
    pub reuse_tickets: bool,
    /// Share sessions only with probes that give the same name
    #[arg(long, value_name = "NAME")]
    pub domain: Option<String>,
    /// Timeout in seconds for connecting, and again for the handshake
    #[arg(long, value_name = "S", default_value = "10")]
    #[arg(value_parser = seconds(), allow_negative_numbers = true)]
    pub timeout: Duration,
    /// Print a JSON object per line instead of tables
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// The defaults of the command line.
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
            cert: None,
            key: None,
            sni: None,
            store: StoreLocation::default(),
            store_keys: None,
            reuse_tickets: false,
            domain: None,
            timeout: Duration::from_secs(10),
            json: false,
        }
    }

    /// Number of connections that each backend makes, without those of experiments.
    pub fn connections(&self) -> usize {
        match (self.connections, self.concurrency) {
            (Some(count), _) => count,
            (None, 1) => 5,
            (None, concurrency) => 1 + concurrency,
        }
    }

    /// The port of the server.
    pub fn port(&self) -> u16 {
        let default = || self.starttls.map_or(443, StartTls::port);
        self.target.port.unwrap_or_else(default)
    }

    /// The name that is sent to the server and verified in its certificate.
    pub fn server_name(&self) -> &str {
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
    /// The preview of the next rustls, with aws-lc-rs
    RustlsPreview,
    /// All backends, one after the other
    All,
}

impl BackendChoice {
    /// The chosen backends.
    pub fn backends(self) -> &'static [Backend] {
        match self {
            Self::Rustls => &[Backend::Rustls],
            Self::Openssl => &[Backend::OpenSsl],
            Self::RustlsPreview => &[Backend::RustlsPreview],
            Self::All => &Backend::ALL,
        }
    }
}

/// Parses a TLS version. An error names the versions: clap by itself would take `1.1` for a
/// misspelt `1.2`.
#[derive(Clone)]
struct ProtocolParser;

impl TypedValueParser for ProtocolParser {
    type Value = Protocol;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        text: &OsStr,
    ) -> Result<Protocol, clap::Error> {
        let parse = |text: &str| text.parse::<Protocol>().map_err(|error| error.to_string());
        parse.parse_ref(command, argument, text)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let versions = Protocol::ALL
            .map(|version| PossibleValue::new(version.as_str()).help(version.to_string()));
        Some(Box::new(versions.into_iter()))
    }
}

/// Parses a number. An error names the range.
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
    fn new_has_the_defaults_of_the_command_line() {
        let options = Options::new("example.org".parse().unwrap());
        assert_eq!(
            format!("{options:?}"),
            format!("{:?}", parse("example.org"))
        );
    }

    #[test]
    fn ports_and_names_have_defaults() {
        for (line, port, name) in [
            ("example.org", 443, "example.org"),
            ("example.org --starttls smtp", 25, "example.org"),
            ("example.org:26 --starttls smtp --sni a.b", 26, "a.b"),
        ] {
            let options = parse(line);
            assert_eq!(
                (options.port(), options.server_name()),
                (port, name),
                "{line}"
            );
        }
    }

    #[test]
    fn an_unknown_version_is_answered_with_the_known_ones() {
        assert_eq!(parse("a --tls 1.2").tls, Some(Protocol::Tls12));
        let error = Line::try_parse_from(["probe", "a", "--tls", "1.1"]).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("give 1.2 or 1.3"), "{message}");
        assert!(!message.contains("similar"), "{message}");
    }

    #[test]
    fn a_burst_follows_one_connection() {
        for (line, count) in [
            ("a", 5),
            ("a --concurrency 16", 17),
            ("a --concurrency 16 --connections 3", 3),
        ] {
            assert_eq!(parse(line).connections(), count, "{line}");
        }
    }

    #[test]
    fn help_fits_100_columns() {
        use clap::CommandFactory;

        let mut command = Line::command().term_width(100);
        for help in [command.render_help(), command.render_long_help()] {
            let help = help.to_string();
            assert!(help.lines().all(|line| line.len() <= 100), "{help}");
        }
    }
}
