//! Arguments of `compare serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lab::certificate::KeyKind;
use lab::server::Protocol;
use pki_types::ServerName;

use crate::cli::number;

/// The longest lifetime that TLS 1.3 allows, in seconds: seven days.
const LONGEST: u64 = 604_800;

/// Arguments of `compare serve`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Where to listen; port 0 is a free port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:4433")]
    #[arg(value_parser = socket_address)]
    pub listen: SocketAddr,
    /// The versions it speaks
    #[arg(long, value_name = "VERSION", value_enum, default_value_t = Versions::Both)]
    pub tls: Versions,
    /// The library it runs on
    #[arg(long, value_name = "NAME", value_enum, default_value_t = Library::Rustls)]
    pub backend: Library,
    /// Tickets after a full handshake of TLS 1.3; TLS 1.2 sends one; 0: no resumption at all
    #[arg(long, value_name = "N", default_value_t = 2)]
    #[arg(value_parser = number(0..=100_usize), allow_negative_numbers = true)]
    pub tickets: usize,
    /// How long tickets live, in seconds [default: the library's: rustls 12 hours, openssl 2 hours]
    #[arg(long, value_name = "SECONDS")]
    #[arg(value_parser = number(1..=LONGEST), allow_negative_numbers = true)]
    pub lifetime: Option<u64>,
    /// Decline every Nth session that is offered; 1: all of them
    #[arg(long, value_name = "N")]
    #[arg(value_parser = number(1..=u64::MAX), allow_negative_numbers = true)]
    pub decline_every: Option<u64>,
    /// New ticket keys after every N connections: older tickets are refused
    #[arg(long, value_name = "N")]
    #[arg(value_parser = number(1..=u64::MAX), allow_negative_numbers = true)]
    pub rotate_keys: Option<u64>,
    /// The kind of key of its certificate
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Key::EcdsaP256)]
    pub key: Key,
    /// The names in its certificate; none are those of this machine
    #[arg(long, value_name = "NAME", value_parser = certificate_name)]
    #[arg(
        help = "A DNS name or an IP address for its certificate; repeat it for more \
                [default: localhost, 127.0.0.1, ::1]"
    )]
    pub name: Vec<String>,
    /// Write the root of its certificate there, as PEM, for clients to trust
    #[arg(long, value_name = "FILE")]
    pub cert_out: Option<PathBuf>,
    /// Stop after so many connections
    #[arg(long, value_name = "N")]
    #[arg(value_parser = number(1..=u64::MAX), allow_negative_numbers = true)]
    pub connections: Option<u64>,
    /// One JSON object a line instead of text
    #[arg(long)]
    pub json: bool,
}

/// The values of `--tls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Versions {
    /// TLS 1.2 only
    #[value(name = "1.2")]
    Tls12,
    /// TLS 1.3 only
    #[value(name = "1.3")]
    Tls13,
    /// Both
    Both,
}

impl Versions {
    /// The versions that this stands for.
    pub fn protocols(self) -> &'static [Protocol] {
        match self {
            Self::Tls12 => &[Protocol::Tls12],
            Self::Tls13 => &[Protocol::Tls13],
            Self::Both => &Protocol::ALL,
        }
    }
}

/// The values of `--backend`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Library {
    /// rustls 0.23 with aws-lc-rs
    Rustls,
    /// OpenSSL
    Openssl,
}

impl From<Library> for lab::server::Library {
    fn from(library: Library) -> Self {
        match library {
            Library::Rustls => Self::Rustls,
            Library::Openssl => Self::OpenSsl,
        }
    }
}

/// The values of `--key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Key {
    /// ECDSA on P-256
    #[value(name = "ecdsa-p256")]
    EcdsaP256,
    /// RSA with 2048 bits
    #[value(name = "rsa-2048")]
    Rsa2048,
}

impl From<Key> for KeyKind {
    fn from(key: Key) -> Self {
        match key {
            Key::EcdsaP256 => Self::EcdsaP256,
            Key::Rsa2048 => Self::Rsa2048,
        }
    }
}

fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let example = "give an address and a port, such as 127.0.0.1:4433 or [::]:4433";
    text.parse().map_err(|_| example.to_owned())
}

fn certificate_name(text: &str) -> Result<String, String> {
    match ServerName::try_from(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("give a DNS name in ASCII or an IP address".to_owned()),
    }
}
