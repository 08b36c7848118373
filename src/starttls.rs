//! STARTTLS for SMTP (RFC 3207) without I/O: a state machine that takes the server's lines and
//! returns the next step.
//!
//! For a client that makes its own connections to a mail server and then calls
//! [`connect_stream`](crate::generic::Connector::connect_stream).
//!
//! ```
//! use std::io::{self, BufRead, BufReader, Read, Write};
//! use tls_resume::starttls::{Smtp, Step};
//!
//! /// Requests TLS from the server; the handshake comes next.
//! fn start_tls<IO: Read + Write>(io: &mut BufReader<IO>) -> io::Result<()> {
//!     let mut smtp = Smtp::new("client.example.com");
//!     loop {
//!         let mut line = String::new();
//!         io.read_line(&mut line)?; // a real client bounds it: `Smtp::MAX_LINE`
//!         match smtp.receive(line.as_bytes()).map_err(io::Error::other)? {
//!             Step::Read => {}
//!             Step::Send { text, .. } => io.get_mut().write_all(text.as_bytes())?,
//!             // Bytes received before TLS must not be read as if they had come over TLS.
//!             Step::StartTls if io.buffer().is_empty() => return Ok(()),
//!             Step::StartTls => return Err(io::ErrorKind::InvalidData.into()),
//!         }
//!     }
//! }
//! # struct Server(&'static [u8], Vec<u8>);
//! # impl Read for Server {
//! #     fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
//! #         let line = self.0.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
//! #         let read = (&self.0[..line]).read(to)?;
//! #         self.0 = &self.0[read..];
//! #         Ok(read)
//! #     }
//! # }
//! # impl Write for Server {
//! #     fn write(&mut self, from: &[u8]) -> io::Result<usize> { self.1.write(from) }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//! # let script = b"220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n";
//! # let mut server = BufReader::new(Server(script, Vec::new()));
//! # start_tls(&mut server).unwrap();
//! # assert_eq!(server.get_ref().1, b"EHLO client.example.com\r\nSTARTTLS\r\n");
//! ```

use thiserror::Error;

/// The client's side of SMTP from the greeting to the beginning of TLS.
#[derive(Debug)]
pub struct Smtp {
    hello: String,
    /// The command whose reply is being received.
    command: SmtpCommand,
    /// The code of the reply's first line.
    code: Option<[u8; 3]>,
    offers_tls: bool,
    lines: usize,
}

/// A command that the server replies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SmtpCommand {
    /// None: the server's greeting.
    Greeting,
    /// `EHLO`
    Ehlo,
    /// `STARTTLS`
    StartTls,
}

/// The next step of an SMTP client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read another line.
    Read,
    /// Send this, then read a line. First check that nothing was received after the last line: if
    /// something was, close the connection.
    Send {
        /// The command.
        command: SmtpCommand,
        /// The command's line, with its end.
        text: String,
    },
    /// Begin the handshake. First check that nothing was received after the last line: if something
    /// was, close the connection.
    StartTls,
}

/// Why a mail server does not begin TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SmtpError {
    /// The server's reply to `EHLO` does not name STARTTLS.
    #[error("does not offer STARTTLS")]
    NotOffered,
    /// The reply's code is not the expected one: 220 for the greeting and `STARTTLS`, 250 for
    /// `EHLO`.
    #[error("says {} to {}", code.escape_ascii(), command.as_str())]
    Rejected {
        /// The command that the server replied to.
        command: SmtpCommand,
        /// The reply's code, three digits.
        code: [u8; 3],
    },
    /// The line is not valid SMTP.
    #[error("does not speak SMTP")]
    NotSmtp,
    /// The server sent more lines than [`Smtp::MAX_LINES`], or a longer one than
    /// [`Smtp::MAX_LINE`].
    #[error("says too much")]
    TooLong,
}

impl SmtpCommand {
    /// The command's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Ehlo => "EHLO",
            Self::StartTls => "STARTTLS",
        }
    }

    /// The code of a positive reply.
    const fn expected(self) -> [u8; 3] {
        match self {
            Self::Greeting | Self::StartTls => *b"220",
            Self::Ehlo => *b"250",
        }
    }
}

impl Smtp {
    /// The most bytes in a line, without its end. RFC 5321 (section 4.5.3.1.5) allows 512 for a
    /// reply.
    pub const MAX_LINE: usize = 2_048;
    /// The most lines before TLS. A server with many extensions sends about 30.
    pub const MAX_LINES: usize = 128;

    /// A client that introduces itself as `hello`: its domain name, or an address in brackets. It
    /// begins by reading the greeting.
    pub fn new(hello: impl Into<String>) -> Self {
        Self {
            hello: hello.into(),
            command: SmtpCommand::Greeting,
            code: None,
            offers_tls: false,
            lines: 0,
        }
    }

    /// The step after a line from the server, given with or without its end.
    ///
    /// # Errors
    /// The server does not begin TLS. Close the connection.
    pub fn receive(&mut self, line: &[u8]) -> Result<Step, SmtpError> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.lines += 1;
        if self.lines > Self::MAX_LINES || line.len() > Self::MAX_LINE {
            return Err(SmtpError::TooLong);
        }
        let (code, rest) = line.split_first_chunk::<3>().ok_or(SmtpError::NotSmtp)?;
        let is_code = matches!(code[0], b'2'..=b'5') && code.iter().all(u8::is_ascii_digit);
        if !is_code || self.code.is_some_and(|first| first != *code) {
            return Err(SmtpError::NotSmtp);
        }
        let (last, text) = match rest {
            [] => (true, rest),
            [b' ', text @ ..] => (true, text),
            [b'-', text @ ..] => (false, text),
            _ => return Err(SmtpError::NotSmtp),
        };
        // The first line of a rejection is enough: the others may not come.
        if *code != self.command.expected() {
            return Err(SmtpError::Rejected {
                command: self.command,
                code: *code,
            });
        }
        // The first line of the reply to EHLO is the server's name, which may be any word.
        let keyword = text
            .split(|byte| *byte == b' ')
            .find(|word| !word.is_empty());
        if self.code.is_some() && keyword.is_some_and(|word| word.eq_ignore_ascii_case(b"STARTTLS"))
        {
            self.offers_tls |= self.command == SmtpCommand::Ehlo;
        }
        self.code = Some(*code);
        if last {
            self.reply_is_complete()
        } else {
            Ok(Step::Read)
        }
    }

    fn reply_is_complete(&mut self) -> Result<Step, SmtpError> {
        let text = match self.command {
            SmtpCommand::Greeting => {
                self.command = SmtpCommand::Ehlo;
                format!("EHLO {}\r\n", self.hello)
            }
            SmtpCommand::Ehlo if !self.offers_tls => return Err(SmtpError::NotOffered),
            SmtpCommand::Ehlo => {
                self.command = SmtpCommand::StartTls;
                "STARTTLS\r\n".to_owned()
            }
            SmtpCommand::StartTls => return Ok(Step::StartTls),
        };
        self.code = None;
        Ok(Step::Send {
            command: self.command,
            text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps after the lines of a server, up to the first error.
    fn steps(lines: &str) -> Result<Vec<Step>, SmtpError> {
        let mut smtp = Smtp::new("me");
        lines
            .split_inclusive('\n')
            .map(|line| smtp.receive(line.as_bytes()))
            .collect()
    }

    #[test]
    fn a_server_that_offers_tls_begins_it() {
        for lines in [
            "220 mail ESMTP\r\n250-mail\r\n250 STARTTLS\r\n220 go\r\n",
            // Several lines, lines without text, no carriage return, another case.
            "220-a\r\n220 b\r\n250-\r\n250-SIZE 1\r\n250 StartTLS\r\n220\r\n",
            "220 mail\n250-mail\n250-starttls \n250 HELP\n220-go\n220 on\n",
        ] {
            let steps = steps(lines).expect(lines);
            let sent = steps.iter().filter_map(|step| match step {
                Step::Send { command, text } => Some((*command, text.as_str())),
                _ => None,
            });
            let expected = [
                (SmtpCommand::Ehlo, "EHLO me\r\n"),
                (SmtpCommand::StartTls, "STARTTLS\r\n"),
            ];
            assert!(sent.eq(expected), "{lines}: {steps:?}");
            assert_eq!(steps.last(), Some(&Step::StartTls), "{lines}");
        }
    }

    #[test]
    fn starttls_must_be_offered_by_name() {
        for extensions in [
            "250 mail\r\n",
            "250 STARTTLS\r\n", // the server's name
            "250-mail\r\n250 STARTTLSX\r\n",
            "250-mail\r\n250 AUTH STARTTLS\r\n",
        ] {
            let lines = format!("220 STARTTLS\r\n{extensions}");
            assert_eq!(steps(&lines), Err(SmtpError::NotOffered), "{extensions}");
        }
    }

    #[test]
    fn a_rejection_is_one_at_its_first_line() {
        for (lines, says) in [
            ("421-busy\r\n", "says 421 to greeting"),
            ("220 mail\r\n502 what?\r\n", "says 502 to EHLO"),
            (
                "220 mail\r\n250-mail\r\n250 STARTTLS\r\n454 4.7.0 not now\r\n",
                "says 454 to STARTTLS",
            ),
        ] {
            assert_eq!(steps(lines).unwrap_err().to_string(), says);
        }
    }

    #[test]
    fn another_protocol_is_not_taken_for_smtp() {
        for greeting in [
            "HTTP/1.1 400 Bad Request\r\n",
            "SSH-2.0-OpenSSH_9.2\r\n",
            "* OK IMAP\r\n",
            "22\r\n",
            "\r\n",
            "120 wait\r\n",
            "2200 mail\r\n",
            "220-mail\r\n221 mail\r\n",
            "220_mail\r\n",
            "\u{15}\u{3}\u{1}\r\n",
        ] {
            assert_eq!(steps(greeting), Err(SmtpError::NotSmtp), "{greeting:?}");
        }
    }

    #[test]
    fn lines_are_bounded_in_number_and_length() {
        assert_eq!(steps(&"220-mx\r\n".repeat(129)), Err(SmtpError::TooLong));
        assert!(steps(&"220-mx\r\n".repeat(128)).is_ok());
        let long = format!("220 {}\r\n", "x".repeat(Smtp::MAX_LINE));
        assert_eq!(steps(&long), Err(SmtpError::TooLong));
    }
}
