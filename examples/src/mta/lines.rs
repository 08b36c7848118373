//! SMTP as far as it is needed here: lines out, lines in.

use std::io::{self, BufRead, BufReader, Read, Write};

/// The longest line that is read.
const LONGEST: u64 = 2_000;

/// Either end of a conversation in lines.
pub(super) struct Lines<S> {
    stream: BufReader<S>,
}

impl<S: Read + Write> Lines<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// The next line without its end; `None` when there is no more.
    pub(super) fn read(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        (&mut self.stream).take(LONGEST).read_line(&mut line)?;
        match line.strip_suffix('\n') {
            Some(line) => Ok(Some(line.trim_end_matches('\r').to_owned())),
            None if line.is_empty() => Ok(None),
            None => Err(broken(&format!("a line without an end: {line}"))),
        }
    }

    /// Sends a line, in one piece.
    pub(super) fn write(&mut self, line: &str) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes())?;
        stream.flush()
    }

    /// Reads an answer of one line or more, which must be of this kind.
    pub(super) fn expect(&mut self, code: &str) -> io::Result<()> {
        loop {
            let Some(line) = self.read()? else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            match line.strip_prefix(code) {
                Some(rest) if rest.starts_with('-') => {} // more lines follow
                Some(_) => return Ok(()),
                None => return Err(broken(&format!("{code} expected, the server says {line}"))),
            }
        }
    }

    /// Sends a command and reads its answer.
    pub(super) fn ask(&mut self, command: &str, code: &str) -> io::Result<()> {
        self.write(command)?;
        self.expect(code)
    }

    /// The stream, for TLS or to be closed. Nothing may wait to be read: after STARTTLS it would
    /// have come in the clear, and count as if it had come over TLS.
    pub(super) fn into_inner(self) -> io::Result<S> {
        if self.stream.buffer().is_empty() {
            Ok(self.stream.into_inner())
        } else {
            Err(broken("the other end spoke out of turn"))
        }
    }
}

fn broken(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn hearing(text: &str) -> Lines<Cursor<Vec<u8>>> {
        Lines::new(Cursor::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn an_answer_may_have_many_lines() {
        let mut lines = hearing("250-one\r\n250 two\r\n354 go\r\n");
        lines.expect("250").expect("an answer");
        assert!(lines.expect("250").is_err());
        assert!(lines.expect("250").is_err(), "the end");
    }

    /// What an attacker puts behind STARTTLS is not taken for what the server says over TLS.
    #[test]
    fn nothing_crosses_from_the_clear_into_tls() {
        let mut lines = hearing("220 ready\r\n250 injected\r\n");
        lines.expect("220").expect("an answer");
        assert!(lines.into_inner().is_err());
    }

    #[test]
    fn a_line_has_an_end() {
        assert!(hearing(&"x".repeat(5_000)).read().is_err());
        assert_eq!(hearing("").read().expect("the end"), None);
    }
}
