//! SMTP's lines and replies, for client and server.

use std::io::{self, BufRead, BufReader, Read, Write};

/// Maximum length of a received line.
const MAX_LINE: u64 = 2_000;

/// An SMTP connection, of a client or a server.
pub(super) struct Smtp<S> {
    stream: BufReader<S>,
}

impl<S: Read + Write> Smtp<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Reads a line without its line break; `None` at the end of the stream.
    pub(super) fn read(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        (&mut self.stream).take(MAX_LINE).read_line(&mut line)?;
        match line.strip_suffix('\n') {
            Some(line) => Ok(Some(line.trim_end_matches('\r').to_owned())),
            None if line.is_empty() => Ok(None),
            None => Err(invalid(&format!(
                "a line is too long or incomplete: {line}"
            ))),
        }
    }

    /// Sends a line in one write.
    pub(super) fn write(&mut self, line: &str) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes())?;
        stream.flush()
    }

    /// Reads a reply of one or more lines, which must have this code.
    pub(super) fn expect(&mut self, code: &str) -> io::Result<()> {
        loop {
            let Some(line) = self.read()? else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            match line.strip_prefix(code) {
                Some(rest) if rest.starts_with('-') => {} // more lines follow
                Some(_) => return Ok(()),
                None => return Err(invalid(&format!("expected {code}, received {line}"))),
            }
        }
    }

    /// Sends a command and reads its reply.
    pub(super) fn command(&mut self, command: &str, code: &str) -> io::Result<()> {
        self.write(command)?;
        self.expect(code)
    }

    /// The stream, to start TLS or to close it. Fails if there is unread data: after STARTTLS it
    /// would be plain text that counts as received over TLS.
    pub(super) fn into_inner(self) -> io::Result<S> {
        if self.stream.buffer().is_empty() {
            Ok(self.stream.into_inner())
        } else {
            Err(invalid("the peer sent unexpected data"))
        }
    }
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn receiving(text: &str) -> Smtp<Cursor<Vec<u8>>> {
        Smtp::new(Cursor::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn a_reply_may_have_several_lines() {
        let mut lines = receiving("250-one\r\n250 two\r\n354 go\r\n");
        lines.expect("250").expect("a reply");
        assert!(lines.expect("250").is_err());
        assert!(lines.expect("250").is_err(), "the end");
    }

    /// Data that an attacker injects after the reply to STARTTLS must not count as received over
    /// TLS.
    #[test]
    fn data_injected_before_tls_is_rejected() {
        let mut lines = receiving("220 ready\r\n250 injected\r\n");
        lines.expect("220").expect("a reply");
        assert!(lines.into_inner().is_err());
    }

    #[test]
    fn long_and_missing_lines_are_detected() {
        assert!(receiving(&"x".repeat(5_000)).read().is_err());
        assert_eq!(receiving("").read().expect("the end"), None);
    }
}
