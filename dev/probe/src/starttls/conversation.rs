//! Commands and lines of bounded length, and nothing read beyond them.

use std::io::{self, ErrorKind, Read, Write};

use super::StartTls;
use super::error::{StartTlsError, printable};

/// Length limit of a line in bytes, without its end. SMTP and POP3 allow 512; IMAP's capabilities
/// may be longer.
pub(super) const MAX_LINE: usize = 2_048;
/// Limit of lines in a conversation. A server with many extensions sends about 30.
const MAX_LINES: usize = 128;

/// The exchange on a connection before TLS.
pub(super) struct Conversation<'a, IO: ?Sized> {
    io: &'a mut IO,
    protocol: StartTls,
    host: &'a str,
    /// The command that was sent last.
    command: Option<&'static str>,
    lines: usize,
}

impl<'a, IO: Read + Write + ?Sized> Conversation<'a, IO> {
    pub(super) fn new(io: &'a mut IO, protocol: StartTls, host: &'a str) -> Self {
        Self {
            io,
            protocol,
            host,
            command: None,
            lines: 0,
        }
    }

    /// Sends a message, which errors from now on call `command`.
    pub(super) fn send(
        &mut self,
        command: &'static str,
        message: &[u8],
    ) -> Result<(), StartTlsError> {
        self.command = Some(command);
        let sent = self.io.write_all(message).and_then(|()| self.io.flush());
        sent.map_err(|error| self.failed(error))
    }

    /// Reads a line, and returns it without `\n` or `\r\n`.
    pub(super) fn read_line(&mut self) -> Result<Vec<u8>, StartTlsError> {
        self.lines += 1;
        if self.lines > MAX_LINES {
            return Err(self.too_much());
        }
        let mut line = Vec::new();
        loop {
            match self.read_byte()? {
                b'\n' => break,
                _ if line.len() > MAX_LINE => return Err(self.too_much()),
                byte => line.push(byte),
            }
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }

    /// Reads one byte, and nothing behind it.
    pub(super) fn read_byte(&mut self) -> Result<u8, StartTlsError> {
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

    pub(super) fn rejected(&self, response: &[u8]) -> StartTlsError {
        StartTlsError::Rejected {
            host: self.host.to_owned(),
            command: self.command,
            response: printable(response),
        }
    }

    pub(super) fn unexpected(&self, response: &[u8]) -> StartTlsError {
        StartTlsError::Unexpected {
            host: self.host.to_owned(),
            protocol: self.protocol,
            command: self.command,
            response: printable(response),
        }
    }

    fn too_much(&self) -> StartTlsError {
        StartTlsError::TooMuch {
            host: self.host.to_owned(),
            protocol: self.protocol,
            command: self.command,
        }
    }

    fn failed(&self, error: io::Error) -> StartTlsError {
        let (host, command) = (self.host.to_owned(), self.command);
        match error.kind() {
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => StartTlsError::Closed { host, command },
            ErrorKind::TimedOut | ErrorKind::WouldBlock => StartTlsError::Timeout {
                host,
                protocol: self.protocol,
                command,
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

/// Whether a word is a keyword of the protocol, which ignores case.
pub(super) fn is(word: &[u8], expected: &str) -> bool {
    word.eq_ignore_ascii_case(expected.as_bytes())
}
