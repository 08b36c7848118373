//! `STLS` of RFC 2595.

use std::io::{Read, Write};

use super::conversation::{Conversation, is, words};
use super::error::StartTlsError;

pub(super) fn begin(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<(), StartTlsError> {
    agreed(server)?;
    server.ask("CAPA", b"CAPA\r\n")?;
    match agreed(server) {
        Ok(()) => {
            if !offers(server)? {
                return Err(server.not_offered());
            }
        }
        // An old server does not know this command, and may know the other nonetheless.
        Err(StartTlsError::Refused { .. }) => {}
        Err(error) => return Err(error),
    }
    server.ask("STLS", b"STLS\r\n")?;
    agreed(server)
}

/// Reads whether the server agrees.
fn agreed(server: &mut Conversation<'_, impl Read + Write + ?Sized>) -> Result<(), StartTlsError> {
    let line = server.line()?;
    match words(&line).next() {
        Some(b"+OK") => Ok(()),
        Some(b"-ERR") => Err(server.refused(&line)),
        _ => Err(server.unexpected(&line)),
    }
}

/// Reads the list of capabilities to its end, a dot.
fn offers(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<bool, StartTlsError> {
    let mut offered = false;
    loop {
        let line = server.line()?;
        if line == b"." {
            return Ok(offered);
        }
        offered |= words(&line).next().is_some_and(|word| is(word, "STLS"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::StartTls::Pop3;
    use super::super::scripted::{Play, begins, fails};
    use super::*;

    const CAPA: &[u8] = b"CAPA\r\n";
    const STLS: &[u8] = b"STLS\r\n";

    #[test]
    fn tls_begins() {
        for (greeting, capabilities, go) in [
            (
                "+OK ready\r\n",
                "+OK\r\nUIDL\r\nSTLS\r\n.\r\n",
                "+OK begin\r\n",
            ),
            (
                "+OK\r\n",
                "+OK list\r\nstls\r\nSASL PLAIN\r\n..\r\n.\r\n",
                "+OK\r\n",
            ),
            ("+OK <1.2@mail>\n", "-ERR unknown command\n", "+OK\n"),
        ] {
            begins(
                Pop3,
                &[
                    Play::Say(greeting.as_bytes()),
                    Play::Hear(CAPA),
                    Play::Say(capabilities.as_bytes()),
                    Play::Hear(STLS),
                    Play::Say(go.as_bytes()),
                ],
            );
        }
    }

    #[test]
    fn not_offered() {
        for capabilities in [
            "+OK\r\nUIDL\r\n.\r\n",
            "+OK STLS\r\nX STLS\r\nSTLSX\r\n.\r\n",
        ] {
            let error = fails(
                Pop3,
                &[
                    Play::Say(b"+OK\r\n"),
                    Play::Hear(CAPA),
                    Play::Say(capabilities.as_bytes()),
                ],
            );
            assert!(matches!(error, StartTlsError::NotOffered { .. }), "{error}");
            assert!(error.to_string().contains("offers no STLS"), "{error}");
        }
    }

    #[test]
    fn refused() {
        let error = fails(Pop3, &[Play::Say(b"-ERR busy\r\n")]);
        assert!(
            error.to_string().contains("greets with \"-ERR busy\""),
            "{error}"
        );
        for capabilities in ["-ERR\r\n", "+OK\r\nSTLS\r\n.\r\n"] {
            let error = fails(
                Pop3,
                &[
                    Play::Say(b"+OK\r\n"),
                    Play::Hear(CAPA),
                    Play::Say(capabilities.as_bytes()),
                    Play::Hear(STLS),
                    Play::Say(b"-ERR not now\r\n"),
                ],
            );
            assert!(matches!(error, StartTlsError::Refused { .. }), "{error}");
            assert!(error.to_string().contains("answers STLS with"), "{error}");
        }
    }

    #[test]
    fn another_protocol() {
        for greeting in [
            "* OK IMAP\r\n",
            "220 mail\r\n",
            "+OKAY\r\n",
            "\r\n",
            "OK\r\n",
        ] {
            let error = fails(Pop3, &[Play::Say(greeting.as_bytes())]);
            assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
        }
        let error = fails(
            Pop3,
            &[
                Play::Say(b"+OK\r\n"),
                Play::Hear(CAPA),
                Play::Say(b"UIDL\r\n"),
            ],
        );
        assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
    }
}
