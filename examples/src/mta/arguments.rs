//! Command lines of the program and of its worker processes.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tls_resume::Protocol;

/// Compares deliveries of mail by short-lived processes with and without shared TLS sessions.
#[derive(Debug, Parser)]
#[command(name = "mta", args_conflicts_with_subcommands = true)]
pub struct Program {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub options: Options,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Delivers mail and exits; the command of each worker process.
    Deliver(Job),
}

#[derive(Args, Debug)]
pub struct Options {
    /// Mails to deliver with each store
    #[arg(long, default_value = "200")]
    pub deliveries: NonZeroUsize,
    /// Concurrent processes
    #[arg(long, default_value = "4")]
    pub processes: NonZeroUsize,
    /// Mail servers, used in turn
    #[arg(long, default_value = "3")]
    pub servers: NonZeroUsize,
    /// Deliveries per process, each over a new connection
    #[arg(long, default_value = "1")]
    pub messages: NonZeroUsize,
    /// TLS library of the processes
    #[arg(long, value_enum, default_value_t = Backend::Openssl)]
    pub backend: Backend,
    /// Only this version of TLS
    #[arg(long, value_enum)]
    pub tls: Option<Tls>,
    /// Use each TLS 1.3 ticket once, and not until the server renews it
    #[arg(long)]
    pub tickets_once: bool,
    /// Only this store: `memory:`, `lmdb:DIR` or `redis://HOST[:PORT]`
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// Print a JSON object per store instead of a table
    #[arg(long)]
    pub json: bool,
}

/// The job of a worker process.
#[derive(Args, Clone, Debug)]
pub struct Job {
    /// Servers, used in turn
    #[arg(long, required = true, value_name = "HOST@ADDRESS:PORT")]
    pub to: Vec<Destination>,
    /// Root certificates, as PEM
    #[arg(long, value_name = "FILE")]
    pub roots: PathBuf,
    /// Session store: `memory:`, `lmdb:DIR` or `redis://HOST[:PORT]`
    #[arg(long, value_name = "URL")]
    pub store: String,
    /// File of the store's sealing keys, instead of the default one
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// TLS library
    #[arg(long, value_enum, default_value_t = Backend::Openssl)]
    pub backend: Backend,
    /// Only this version of TLS
    #[arg(long, value_enum)]
    pub tls: Option<Tls>,
    /// Use each TLS 1.3 ticket once, and not until the server renews it
    #[arg(long)]
    pub tickets_once: bool,
    /// Mails to deliver, each over a new connection
    #[arg(long, default_value_t = 1)]
    pub messages: usize,
    /// Index of the server of the first mail
    #[arg(long, default_value_t = 0)]
    pub first: usize,
}

impl Job {
    /// Divides a number of deliveries into jobs of at most `messages` each.
    pub fn split(&self, deliveries: usize) -> Vec<Self> {
        let starts = (0..deliveries).step_by(self.messages.max(1));
        let job = |first| Self {
            messages: self.messages.min(deliveries - first),
            first,
            ..self.clone()
        };
        starts.map(job).collect()
    }

    /// The job as arguments of `mta`.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["deliver".into()];
        let mut add = |name: &str, value: OsString| arguments.extend([name.into(), value]);
        for to in &self.to {
            add("--to", to.to_string().into());
        }
        add("--roots", self.roots.clone().into());
        add("--store", self.store.clone().into());
        if let Some(keys) = &self.keys {
            add("--keys", keys.clone().into());
        }
        add("--backend", self.backend.to_string().into());
        if let Some(tls) = self.tls {
            add("--tls", tls.to_string().into());
        }
        if self.tickets_once {
            arguments.push("--tickets-once".into());
        }
        let mut add = |name: &str, value: OsString| arguments.extend([name.into(), value]);
        add("--messages", self.messages.to_string().into());
        add("--first", self.first.to_string().into());
        arguments
    }
}

/// A mail server: the name in its certificate, and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pub host: String,
    pub address: SocketAddr,
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('@').and_then(|(host, address)| {
            let (host, address) = (host.to_owned(), address.parse().ok()?);
            Some(Self { host, address })
        });
        parsed.ok_or_else(|| "give HOST@ADDRESS:PORT".to_owned())
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.host, self.address)
    }
}

/// A TLS library whose sessions can be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    Openssl,
    /// The first handshake of a process takes 50 ms or more, while aws-lc gathers entropy
    RustlsPreview,
}

impl Backend {
    pub const ALL: [Self; 2] = [Self::Openssl, Self::RustlsPreview];
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Openssl => "openssl",
            Self::RustlsPreview => "rustls-preview",
        })
    }
}

/// A TLS version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tls {
    #[value(name = "1.2")]
    Tls12,
    #[value(name = "1.3")]
    Tls13,
}

impl Tls {
    pub const ALL: [Self; 2] = [Self::Tls12, Self::Tls13];
}

impl From<Tls> for Protocol {
    fn from(tls: Tls) -> Self {
        match tls {
            Tls::Tls12 => Self::Tls12,
            Tls::Tls13 => Self::Tls13,
        }
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_survives_the_command_line() {
        let job = Job {
            to: vec!["mx.example@[::1]:25".parse().expect("a destination")],
            roots: "roots.pem".into(),
            store: "memory:".into(),
            keys: Some("keys".into()),
            backend: Backend::RustlsPreview,
            tls: Some(Tls::Tls12),
            tickets_once: true,
            messages: 3,
            first: 7,
        };
        let arguments = [OsString::from("mta")].into_iter().chain(job.arguments());
        let Some(Command::Deliver(read)) = Program::parse_from(arguments).command else {
            panic!("not a delivery");
        };
        assert_eq!(format!("{read:?}"), format!("{job:?}"));
    }

    #[test]
    fn the_last_process_delivers_the_rest() {
        let job = Job {
            to: Vec::new(),
            roots: PathBuf::new(),
            store: String::new(),
            keys: None,
            backend: Backend::Openssl,
            tls: None,
            tickets_once: true,
            messages: 4,
            first: 0,
        };
        let split: Vec<_> = job.split(10).iter().map(|job| job.messages).collect();
        assert_eq!(split, [4, 4, 2]);
    }
}
