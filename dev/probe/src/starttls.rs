//! STARTTLS: the commands that start TLS on a connection that begins in the clear.
//!
//! [`StartTls::begin`] reads byte by byte up to the end of the server's consent. Bytes behind it
//! are left to TLS, which rejects them if they are no TLS. A client that buffered them would let an
//! attacker on the path inject responses that seem to come under TLS (Poddebniak and others, "Why
//! TLS is better without STARTTLS", USENIX Security 2021).
//!
//! The length and the number of lines are limited. The deadline is the transport's.

mod conversation;
mod error;
mod ftp;
mod imap;
mod pop3;
mod postgres;
#[cfg(test)]
mod scripted;
mod smtp;

use std::fmt;
use std::io::{Read, Write};

use clap::ValueEnum;

pub use error::StartTlsError;

use self::conversation::Conversation;

/// A protocol that begins in the clear and continues under TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum StartTls {
    /// Mail transfer: STARTTLS of RFC 3207
    Smtp,
    /// Mailboxes: STARTTLS of RFC 9051
    Imap,
    /// Mailboxes: STLS of RFC 2595
    Pop3,
    /// File transfer: AUTH TLS of RFC 4217, on the control connection
    Ftp,
    /// The PostgreSQL protocol, which has a request for TLS of its own
    Postgres,
}

impl StartTls {
    /// The default port of this protocol.
    pub fn port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Imap => 143,
            Self::Pop3 => 110,
            Self::Ftp => 21,
            Self::Postgres => 5432,
        }
    }

    /// Starts TLS on a new connection. `host` is for error messages.
    ///
    /// After success, the next byte in either direction belongs to TLS. After an error the
    /// connection is unusable. Each write is a whole command, each read a single byte, some hundred
    /// in all.
    pub fn begin(
        self,
        io: &mut (impl Read + Write + ?Sized),
        host: &str,
    ) -> Result<(), StartTlsError> {
        let mut conversation = Conversation::new(io, self, host);
        match self {
            Self::Smtp => smtp::begin(&mut conversation),
            Self::Imap => imap::begin(&mut conversation),
            Self::Pop3 => pop3::begin(&mut conversation),
            Self::Ftp => ftp::begin(&mut conversation),
            Self::Postgres => postgres::begin(&mut conversation),
        }
    }

    /// The name in error messages.
    fn name(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Ftp => "FTP",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// The command that starts TLS.
    fn command(self) -> &'static str {
        match self {
            Self::Smtp | Self::Imap => "STARTTLS",
            Self::Pop3 => "STLS",
            Self::Ftp => "AUTH TLS",
            Self::Postgres => "TLS",
        }
    }
}

impl fmt::Display for StartTls {
    /// The value of `--starttls`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Ftp => "ftp",
            Self::Postgres => "postgres",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_displayed_as_on_the_command_line() {
        for protocol in StartTls::value_variants() {
            let value = protocol.to_possible_value().unwrap();
            assert_eq!(protocol.to_string(), value.get_name());
        }
        assert_eq!(StartTls::value_variants().len(), 5);
    }
}
