//! Commands and lines, bounded, and read no further than they go.

use std::io::{self, ErrorKind, Read, Write};

use super::StartTls;
use super::error::{StartTlsError, shown};

/// The most bytes in a line, without its end. SMTP and POP3 allow 512, IMAP's capabilities may take
/// more.
pub(super) const LINE: usize = 2_048;
/// The most lines of a whole conversation. A server that offers a lot sends about 30.
pub(super) const LINES: usize = 128;

/// What is said on one connection before TLS.
pub(super) struct Conversation<'a, IO: ?Sized> {
    io: &'a mut IO,
    protocol: StartTls,
    host: &'a str,
    /// The command that the server has to answer.
    asked: Option<&'static str>,
    lines: usize,
}

impl<'a, IO: Read + Write + ?Sized> Conversation<'a, IO> {
    pub(super) fn new(io: &'a mut IO, protocol: StartTls, host: &'a str) -> Self {
        Self {
            io,
            protocol,
            host,
            asked: None,
            lines: 0,
        }
    }

    /// Sends a message, which errors from now on call `asked`.
    pub(super) fn ask(&mut self, asked: &'static str, message: &[u8]) -> Result<(), StartTlsError> {
        self.asked = Some(asked);
        let sent = self.io.write_all(message).and_then(|()| self.io.flush());
        sent.map_err(|error| self.failed(error))
    }

    /// Reads a line, without its end: a line feed and what carriage return is before it.
    pub(super) fn line(&mut self) -> Result<Vec<u8>, StartTlsError> {
        self.lines += 1;
        if self.lines > LINES {
            return Err(self.too_much());
        }
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => break,
                _ if line.len() > LINE => return Err(self.too_much()),
                byte => line.push(byte),
            }
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }

    /// Reads a single byte and nothing behind it.
    pub(super) fn byte(&mut self) -> Result<u8, StartTlsError> {
        let mut byte = [0];
        let read = self.io.read_exact(&mut byte);
        read.map_err(|error| self.failed(error))?;
        Ok(byte[0])
    }

    pub(super) fn not_offered(&self) -> StartTlsError {
        StartTlsError::NotOffered {
            host: self.host.to_owned(),
            protocol: self.protocol,
        }
    }

    pub(super) fn refused(&self, said: &[u8]) -> StartTlsError {
        StartTlsError::Refused {
            host: self.host.to_owned(),
            asked: self.asked,
            said: shown(said),
        }
    }

    pub(super) fn unexpected(&self, said: &[u8]) -> StartTlsError {
        StartTlsError::Unexpected {
            host: self.host.to_owned(),
            protocol: self.protocol,
            asked: self.asked,
            said: shown(said),
        }
    }

    fn too_much(&self) -> StartTlsError {
        StartTlsError::TooMuch {
            host: self.host.to_owned(),
            protocol: self.protocol,
            asked: self.asked,
        }
    }

    fn failed(&self, error: io::Error) -> StartTlsError {
        let (host, asked) = (self.host.to_owned(), self.asked);
        match error.kind() {
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => StartTlsError::Closed { host, asked },
            ErrorKind::TimedOut | ErrorKind::WouldBlock => StartTlsError::Timeout {
                host,
                protocol: self.protocol,
                asked,
            },
            _ => StartTlsError::Io { host, error },
        }
    }
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
}

/// Whether a word is one of the protocol's, which knows no case.
pub(super) fn is(word: &[u8], expected: &str) -> bool {
    word.eq_ignore_ascii_case(expected.as_bytes())
}
