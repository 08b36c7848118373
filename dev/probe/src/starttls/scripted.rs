//! Servers that follow a script: what a real one does not do on demand, and exactly how far a client
//! reads.

use std::io::{self, ErrorKind, Read, Write};

use super::{StartTls, StartTlsError};

/// A step of a script. At its end the server waits, which is an error that no timeout would be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Play<'a> {
    /// The server sends this.
    Say(&'a [u8]),
    /// The server waits for exactly this.
    Hear(&'a [u8]),
    /// It is silent until the deadline.
    Wait,
    /// It sends this again and again.
    Forever(&'a [u8]),
    /// It closes the connection.
    Close,
}

/// The server's end of a connection.
struct Scripted<'a> {
    play: Vec<Play<'a>>,
    /// At most so many bytes are read at a time.
    at_once: usize,
    /// Bytes that were read.
    read: usize,
    /// Bytes that came of those without end.
    repeated: usize,
}

impl Scripted<'_> {
    /// What the client has not read.
    fn unread(&self) -> Vec<u8> {
        let said = self.play.iter().map(|step| match step {
            Play::Say(bytes) => *bytes,
            other => panic!("{other:?} was not played"),
        });
        said.collect::<Vec<_>>().concat()
    }
}

impl Read for Scripted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match self.play.first_mut() {
            Some(Play::Say(bytes)) => {
                let length = buffer.len().min(self.at_once).min(bytes.len());
                buffer[..length].copy_from_slice(&bytes[..length]);
                *bytes = &bytes[length..];
                if bytes.is_empty() {
                    self.play.remove(0);
                }
                length
            }
            Some(Play::Forever(bytes)) => {
                buffer[0] = bytes[self.repeated % bytes.len()];
                self.repeated += 1;
                1
            }
            Some(Play::Close) => 0,
            Some(Play::Wait) => return Err(ErrorKind::TimedOut.into()),
            Some(Play::Hear(_)) | None => return Err(io::Error::other("read too far")),
        };
        self.read += length;
        Ok(length)
    }
}

impl Write for Scripted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.play.first_mut() {
            Some(Play::Hear(expected)) => {
                let length = bytes.len().min(self.at_once);
                assert!(
                    expected.starts_with(&bytes[..length]),
                    "{expected:?}, not {bytes:?}"
                );
                *expected = &expected[length..];
                if expected.is_empty() {
                    self.play.remove(0);
                }
                Ok(length)
            }
            Some(Play::Close) => Err(ErrorKind::BrokenPipe.into()),
            other => panic!("{bytes:?} came at {other:?}"),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn scripted<'a>(play: &[Play<'a>], at_once: usize) -> Scripted<'a> {
    Scripted {
        play: play.to_vec(),
        at_once,
        read: 0,
        repeated: 0,
    }
}

/// TLS may begin after this, in pieces of whatever size, and nothing behind it has been read.
pub(super) fn begins(protocol: StartTls, play: &[Play<'_>]) {
    for behind in ["", "\r\n250 injected\r\n", "\u{16}\u{3}\u{3}"] {
        let mut play = play.to_vec();
        // One segment with the server's last words, as from somebody on the way.
        let Some(Play::Say(last)) = play.pop() else {
            panic!("the server has the last word");
        };
        let last = [last, behind.as_bytes()].concat();
        play.push(Play::Say(&last));
        for at_once in [1, 2, usize::MAX] {
            let mut server = scripted(&play, at_once);
            protocol.begin(&mut server, "mail.example").unwrap();
            assert_eq!(server.unread(), behind.as_bytes());
        }
    }
}

/// TLS may not begin; an error that is one line of printable text says why.
pub(super) fn fails(protocol: StartTls, play: &[Play<'_>]) -> StartTlsError {
    let error = |at_once| {
        let mut server = scripted(play, at_once);
        let error = protocol.begin(&mut server, "mail.example").unwrap_err();
        assert!(server.read <= 300_000, "{} bytes were read", server.read);
        error
    };
    let (slow, quick) = (error(1), error(usize::MAX));
    let text = quick.to_string();
    assert_eq!(slow.to_string(), text);
    assert!(
        text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "{text:?}"
    );
    assert!(text.len() < 400, "{text}");
    assert!(!matches!(quick, StartTlsError::Io { .. }), "{text}");
    quick
}

mod tests {
    use clap::ValueEnum;

    use super::*;

    /// How far each conversation goes before the server has the word, shortest first.
    fn beginnings(protocol: StartTls) -> Vec<Vec<Play<'static>>> {
        let whole: &[Play<'static>] = match protocol {
            StartTls::Smtp => &[
                Play::Say(b"220 mail\r\n"),
                Play::Hear(b"EHLO [127.0.0.1]\r\n"),
                Play::Say(b"250-mail\r\n250 STARTTLS\r\n"),
                Play::Hear(b"STARTTLS\r\n"),
            ],
            StartTls::Imap => &[
                Play::Say(b"* OK\r\n"),
                Play::Hear(b"a1 CAPABILITY\r\n"),
                Play::Say(b"* CAPABILITY STARTTLS\r\na1 OK\r\n"),
                Play::Hear(b"a2 STARTTLS\r\n"),
            ],
            StartTls::Pop3 => &[
                Play::Say(b"+OK\r\n"),
                Play::Hear(b"CAPA\r\n"),
                Play::Say(b"+OK\r\nSTLS\r\n.\r\n"),
                Play::Hear(b"STLS\r\n"),
            ],
            StartTls::Postgres => &[Play::Hear(&[0, 0, 0, 8, 4, 210, 22, 47])],
        };
        let server_speaks = |length: &usize| match whole.get(*length) {
            Some(Play::Say(_)) | None => true,
            Some(_) => false,
        };
        (0..=whole.len())
            .filter(server_speaks)
            .map(|length| whole[..length].to_vec())
            .collect()
    }

    fn at_each_turn(end: Play<'_>, mut check: impl FnMut(StartTls, StartTlsError)) {
        for &protocol in StartTls::value_variants() {
            for mut play in beginnings(protocol) {
                play.push(end);
                check(protocol, fails(protocol, &play));
            }
        }
    }

    #[test]
    fn closed() {
        at_each_turn(Play::Close, |_, error| {
            assert!(matches!(error, StartTlsError::Closed { .. }), "{error}");
        });
        // While the client writes, too.
        let play = [Play::Say(b"220 mail\r\n"), Play::Close];
        let error = fails(StartTls::Smtp, &play);
        assert!(error.to_string().contains("when asked EHLO"), "{error}");
        // In the midst of a line.
        let error = fails(StartTls::Smtp, &[Play::Say(b"220 mai"), Play::Close]);
        assert!(matches!(error, StartTlsError::Closed { .. }), "{error}");
    }

    #[test]
    fn silent() {
        at_each_turn(Play::Wait, |_, error| {
            assert!(matches!(error, StartTlsError::Timeout { .. }), "{error}");
        });
    }

    #[test]
    fn a_line_without_end() {
        at_each_turn(Play::Forever(b"x"), |protocol, error| match protocol {
            // Its answer is a byte.
            StartTls::Postgres => {
                assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
            }
            _ => assert!(matches!(error, StartTlsError::TooMuch { .. }), "{error}"),
        });
    }

    #[test]
    fn lines_without_end() {
        let error = fails(StartTls::Smtp, &[Play::Forever(b"220-mail\r\n")]);
        assert!(matches!(error, StartTlsError::TooMuch { .. }), "{error}");
        for (protocol, line) in [
            (StartTls::Imap, &b"* OK still here\r\n"[..]),
            (StartTls::Pop3, b"+OK\r\n"),
        ] {
            let mut play = beginnings(protocol)[1].clone();
            play.push(Play::Forever(line));
            let error = fails(protocol, &play);
            assert!(matches!(error, StartTlsError::TooMuch { .. }), "{error}");
        }
    }

    #[test]
    fn garbage() {
        let mut bytes: Vec<u8> = (0..=255).rev().collect();
        bytes.push(b'\n');
        at_each_turn(Play::Say(&bytes), |_, error| {
            assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
        });
    }
}
