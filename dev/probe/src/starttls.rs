//! What is said in the clear before TLS begins, on ports where it does not begin at once.
//!
//! [`StartTls::begin`] asks the server for TLS, and returns when it may begin. Everything is read
//! byte by byte, so that nothing behind the server's go-ahead is taken for a part of it, nor kept for
//! later: whatever stands there, TLS reads, and rejects if it is no TLS. Who lets bytes that came in
//! the clear be answers under TLS lets anybody on the way put words into the server's mouth.
//!
//! Servers are not trusted with memory or with time: a line, and how many there are, is bounded. The
//! deadline is the transport's.

mod conversation;
mod error;
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

/// A protocol that begins in the clear and goes on under TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum StartTls {
    /// Mail between servers, or from a client: `STARTTLS` of RFC 3207
    Smtp,
    /// Mailboxes: `STARTTLS` of RFC 9051
    Imap,
    /// Mailboxes: `STLS` of RFC 2595
    Pop3,
    /// Postgres: the request for TLS of its own protocol
    Postgres,
}

impl StartTls {
    /// The port where servers of this protocol listen, if nothing else is agreed.
    pub fn port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Imap => 143,
            Self::Pop3 => 110,
            Self::Postgres => 5432,
        }
    }

    /// Asks for TLS on a new connection to `host`, whose name is for errors only.
    ///
    /// When it succeeds, the next byte in either direction is TLS's. After an error the connection is
    /// of no use any more. Writes are whole commands and reads are single bytes: there are some
    /// hundred of them.
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
            Self::Postgres => postgres::begin(&mut conversation),
        }
    }

    /// As people write it.
    fn name(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// What asks for TLS.
    fn command(self) -> &'static str {
        match self {
            Self::Smtp | Self::Imap => "STARTTLS",
            Self::Pop3 => "STLS",
            Self::Postgres => "TLS",
        }
    }
}

impl fmt::Display for StartTls {
    /// As on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Postgres => "postgres",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_on_the_command_line() {
        for protocol in StartTls::value_variants() {
            let value = protocol.to_possible_value().unwrap();
            assert_eq!(protocol.to_string(), value.get_name());
        }
        assert_eq!(StartTls::value_variants().len(), 4);
    }
}
