//! Arguments of `compare serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lab::certificate::KeyKind;
use lab::server::Protocol;
use pki_types::ServerName;

use crate::args::number;

/// The longest ticket lifetime in TLS 1.3, in seconds: seven days (RFC 8446, section 4.6.1).
const MAX_LIFETIME: u64 = 604_800;

/// Arguments of `compare serve`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Address and port to listen on; port 0 is a free port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:4433")]
    #[arg(value_parser = socket_address)]
    pub listen: SocketAddr,
    /// TLS versions that the server speaks
    #[arg(long, value_name = "VERSION", value_enum, default_value_t = Versions::Both)]
    pub tls: Versions,
    /// TLS library of the server
    #[arg(long, value_name = "NAME", value_enum, default_value_t = Library::Rustls)]
    pub backend: Library,
    /// Tickets after a full TLS 1.3 handshake (TLS 1.2 sends one); 0 turns resumption off
    #[arg(long, value_name = "N", default_value_t = 2)]
    #[arg(value_parser = number(0..=100_usize), allow_negative_numbers = true)]
    pub tickets: usize,
    /// Lifetime of tickets in seconds [default: rustls 12 hours, openssl 2 hours]
    #[arg(long, value_name = "SECONDS")]
    #[arg(value_parser = number(1..=MAX_LIFETIME), allow_negative_numbers = true)]
    pub lifetime: Option<u64>,
    /// Decline every Nth session that is offered; 1 declines all
    #[arg(long, value_name = "N")]
    #[arg(value_parser = number(1..=u64::MAX), allow_negative_numbers = true)]
    pub decline_every: Option<u64>,
    /// Change the ticket keys after every N connections; older tickets are declined
    #[arg(long, value_name = "N")]
    #[arg(value_parser = number(1..=u64::MAX), allow_negative_numbers = true)]
    pub rotate_keys: Option<u64>,
    /// Key of the server's certificate
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Key::EcdsaP256)]
    pub key: Key,
    /// Names in the certificate
    #[arg(long, value_name = "NAME", value_parser = certificate_name)]
    #[arg(help = "DNS name or IP address in the certificate; can be repeated \
                [default: localhost, 127.0.0.1, ::1]")]
    pub name: Vec<String>,
    /// Write the root certificate to this file, as PEM, for clients to trust
    #[arg(long, value_name = "FILE")]
    pub cert_out: Option<PathBuf>,
    /// Stop after N connections
    #[arg(long, value_name = "N")]
    #[arg(value_parser = number(1..=u64::MAX), allow_negative_numbers = true)]
    pub connections: Option<u64>,
    /// Print one JSON object per line instead of text
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
    /// The versions.
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
