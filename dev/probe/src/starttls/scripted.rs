//! Servers that follow a script: for what real ones do not do on demand, and to check that a client
//! reads no further than it should.

use std::io::{self, ErrorKind, Read, Write};

use super::{StartTls, StartTlsError};

/// A step of a script. Reading beyond the last step is an error other than a timeout.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    /// The server sends this.
    Send(&'a [u8]),
    /// The client must send exactly this.
    Expect(&'a [u8]),
    /// The server sends nothing until the deadline.
    TimeOut,
    /// The server sends this endlessly.
    Repeat(&'a [u8]),
    /// The server closes the connection.
    Close,
}

/// The server's end of a connection.
struct Scripted<'a> {
    steps: Vec<Step<'a>>,
    /// Limit of bytes per read and per write.
    chunk: usize,
    /// Number of bytes read.
    read: usize,
    /// Number of bytes read of a [`Step::Repeat`].
    repeated: usize,
}

impl Scripted<'_> {
    /// The bytes that the client has not read.
    fn unread(&self) -> Vec<u8> {
        let sent = self.steps.iter().map(|step| match step {
            Step::Send(bytes) => *bytes,
            other => panic!("{other:?} was not reached"),
        });
        sent.collect::<Vec<_>>().concat()
    }
}

impl Read for Scripted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match self.steps.first_mut() {
            Some(Step::Send(bytes)) => {
                let length = buffer.len().min(self.chunk).min(bytes.len());
                buffer[..length].copy_from_slice(&bytes[..length]);
                *bytes = &bytes[length..];
                if bytes.is_empty() {
                    self.steps.remove(0);
                }
                length
            }
            Some(Step::Repeat(bytes)) => {
                buffer[0] = bytes[self.repeated % bytes.len()];
                self.repeated += 1;
                1
            }
            Some(Step::Close) => 0,
            Some(Step::TimeOut) => return Err(ErrorKind::TimedOut.into()),
            Some(Step::Expect(_)) | None => return Err(io::Error::other("read too far")),
        };
        self.read += length;
        Ok(length)
    }
}

impl Write for Scripted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.steps.first_mut() {
            Some(Step::Expect(expected)) => {
                let length = bytes.len().min(self.chunk);
                assert!(
                    expected.starts_with(&bytes[..length]),
                    "{expected:?}, not {bytes:?}"
                );
                *expected = &expected[length..];
                if expected.is_empty() {
                    self.steps.remove(0);
                }
                Ok(length)
            }
            Some(Step::Close) => Err(ErrorKind::BrokenPipe.into()),
            other => panic!("{bytes:?} came at {other:?}"),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn scripted<'a>(steps: &[Step<'a>], chunk: usize) -> Scripted<'a> {
    Scripted {
        steps: steps.to_vec(),
        chunk,
        read: 0,
        repeated: 0,
    }
}

/// Asserts that TLS starts after these steps, in chunks of any size, and that nothing behind them
/// has been read.
pub(super) fn assert_starts(protocol: StartTls, steps: &[Step<'_>]) {
    for behind in ["", "\r\n250 injected\r\n", "\u{16}\u{3}\u{3}"] {
        let mut steps = steps.to_vec();
        // In one segment with the consent, as an attacker would inject it.
        let Some(Step::Send(last)) = steps.pop() else {
            panic!("the last step is the server's consent");
        };
        let last = [last, behind.as_bytes()].concat();
        steps.push(Step::Send(&last));
        for chunk in [1, 2, usize::MAX] {
            let mut server = scripted(&steps, chunk);
            protocol.begin(&mut server, "mail.example").unwrap();
            assert_eq!(server.unread(), behind.as_bytes());
        }
    }
}

/// Asserts that TLS does not start, and returns the error, whose message is one printable line.
pub(super) fn assert_fails(protocol: StartTls, steps: &[Step<'_>]) -> StartTlsError {
    let error = |chunk| {
        let mut server = scripted(steps, chunk);
        let error = protocol.begin(&mut server, "mail.example").unwrap_err();
        assert!(server.read <= 300_000, "{} bytes were read", server.read);
        error
    };
    let (byte_by_byte, at_once) = (error(1), error(usize::MAX));
    let text = at_once.to_string();
    assert_eq!(byte_by_byte.to_string(), text);
    assert!(
        text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "{text:?}"
    );
    assert!(text.len() < 400, "{text}");
    assert!(!matches!(at_once, StartTlsError::Io { .. }), "{text}");
    at_once
}

mod tests {
    use clap::ValueEnum;

    use super::*;

    /// The beginnings of a conversation after which the server has to send, shortest first.
    fn beginnings(protocol: StartTls) -> Vec<Vec<Step<'static>>> {
        let whole: &[Step<'static>] = match protocol {
            StartTls::Smtp => &[
                Step::Send(b"220 mail\r\n"),
                Step::Expect(b"EHLO [127.0.0.1]\r\n"),
                Step::Send(b"250-mail\r\n250 STARTTLS\r\n"),
                Step::Expect(b"STARTTLS\r\n"),
            ],
            StartTls::Imap => &[
                Step::Send(b"* OK\r\n"),
                Step::Expect(b"a1 CAPABILITY\r\n"),
                Step::Send(b"* CAPABILITY STARTTLS\r\na1 OK\r\n"),
                Step::Expect(b"a2 STARTTLS\r\n"),
            ],
            StartTls::Pop3 => &[
                Step::Send(b"+OK\r\n"),
                Step::Expect(b"CAPA\r\n"),
                Step::Send(b"+OK\r\nSTLS\r\n.\r\n"),
                Step::Expect(b"STLS\r\n"),
            ],
            StartTls::Ftp => &[Step::Send(b"220 files\r\n"), Step::Expect(b"AUTH TLS\r\n")],
            StartTls::Postgres => &[Step::Expect(&[0, 0, 0, 8, 4, 210, 22, 47])],
        };
        let server_sends = |length: &usize| match whole.get(*length) {
            Some(Step::Send(_)) | None => true,
            Some(_) => false,
        };
        (0..=whole.len())
            .filter(server_sends)
            .map(|length| whole[..length].to_vec())
            .collect()
    }

    fn after_each_beginning(end: Step<'_>, mut check: impl FnMut(StartTls, StartTlsError)) {
        for &protocol in StartTls::value_variants() {
            for mut steps in beginnings(protocol) {
                steps.push(end);
                check(protocol, assert_fails(protocol, &steps));
            }
        }
    }

    #[test]
    fn a_closed_connection_is_an_error() {
        after_each_beginning(Step::Close, |_, error| {
            assert!(matches!(error, StartTlsError::Closed { .. }), "{error}");
        });
        // While the client writes, too.
        let steps = [Step::Send(b"220 mail\r\n"), Step::Close];
        let error = assert_fails(StartTls::Smtp, &steps);
        assert!(error.to_string().contains("after EHLO"), "{error}");
        // In the middle of a line.
        let error = assert_fails(StartTls::Smtp, &[Step::Send(b"220 mai"), Step::Close]);
        assert!(matches!(error, StartTlsError::Closed { .. }), "{error}");
    }

    #[test]
    fn a_timeout_is_an_error() {
        after_each_beginning(Step::TimeOut, |_, error| {
            assert!(matches!(error, StartTlsError::Timeout { .. }), "{error}");
        });
    }

    #[test]
    fn a_line_without_end_is_an_error() {
        after_each_beginning(Step::Repeat(b"x"), |protocol, error| match protocol {
            // Its response is one byte.
            StartTls::Postgres => {
                assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
            }
            _ => assert!(matches!(error, StartTlsError::TooMuch { .. }), "{error}"),
        });
    }

    #[test]
    fn lines_without_end_are_an_error() {
        let error = assert_fails(StartTls::Smtp, &[Step::Repeat(b"220-mail\r\n")]);
        assert!(matches!(error, StartTlsError::TooMuch { .. }), "{error}");
        for (protocol, line) in [
            (StartTls::Imap, &b"* OK still here\r\n"[..]),
            (StartTls::Pop3, b"+OK\r\n"),
            (StartTls::Ftp, b"234-\r\n"),
        ] {
            let mut steps = beginnings(protocol)[1].clone();
            steps.push(Step::Repeat(line));
            let error = assert_fails(protocol, &steps);
            assert!(matches!(error, StartTlsError::TooMuch { .. }), "{error}");
        }
    }

    #[test]
    fn arbitrary_bytes_are_unexpected() {
        let mut bytes: Vec<u8> = (0..=255).rev().collect();
        bytes.push(b'\n');
        after_each_beginning(Step::Send(&bytes), |_, error| {
            assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
        });
    }
}
