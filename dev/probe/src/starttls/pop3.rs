//! `STLS` of RFC 2595.

use std::io::{Read, Write};

use super::conversation::{Conversation, is, words};
use super::error::StartTlsError;

pub(super) fn begin(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<(), StartTlsError> {
    read_status(server)?;
    server.send("CAPA", b"CAPA\r\n")?;
    match read_status(server) {
        Ok(()) => {
            if !read_capabilities(server)? {
                return Err(server.not_offered());
            }
        }
        // A server without CAPA (RFC 2449) may still have STLS.
        Err(StartTlsError::Rejected { .. }) => {}
        Err(error) => return Err(error),
    }
    server.send("STLS", b"STLS\r\n")?;
    read_status(server)
}

/// Reads a status line; an error unless it is `+OK`.
fn read_status(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<(), StartTlsError> {
    let line = server.read_line()?;
    match words(&line).next() {
        Some(b"+OK") => Ok(()),
        Some(b"-ERR") => Err(server.rejected(&line)),
        _ => Err(server.unexpected(&line)),
    }
}

/// Reads the capabilities up to the final dot. Returns whether STLS is one.
fn read_capabilities(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<bool, StartTlsError> {
    let mut offered = false;
    loop {
        let line = server.read_line()?;
        if line == b"." {
            return Ok(offered);
        }
        offered |= words(&line).next().is_some_and(|word| is(word, "STLS"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::StartTls::Pop3;
    use super::super::scripted::{Step, assert_fails, assert_starts};
    use super::*;

    const CAPA: &[u8] = b"CAPA\r\n";
    const STLS: &[u8] = b"STLS\r\n";

    #[test]
    fn tls_starts() {
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
            assert_starts(
                Pop3,
                &[
                    Step::Send(greeting.as_bytes()),
                    Step::Expect(CAPA),
                    Step::Send(capabilities.as_bytes()),
                    Step::Expect(STLS),
                    Step::Send(go.as_bytes()),
                ],
            );
        }
    }

    #[test]
    fn a_server_without_the_command_does_not_offer_tls() {
        for capabilities in [
            "+OK\r\nUIDL\r\n.\r\n",
            "+OK STLS\r\nX STLS\r\nSTLSX\r\n.\r\n",
        ] {
            let error = assert_fails(
                Pop3,
                &[
                    Step::Send(b"+OK\r\n"),
                    Step::Expect(CAPA),
                    Step::Send(capabilities.as_bytes()),
                ],
            );
            assert!(matches!(error, StartTlsError::NotOffered { .. }), "{error}");
            assert!(error.to_string().contains("offers no STLS"), "{error}");
        }
    }

    #[test]
    fn a_rejection_is_quoted() {
        let error = assert_fails(Pop3, &[Step::Send(b"-ERR busy\r\n")]);
        assert!(
            error.to_string().contains("greets with \"-ERR busy\""),
            "{error}"
        );
        for capabilities in ["-ERR\r\n", "+OK\r\nSTLS\r\n.\r\n"] {
            let error = assert_fails(
                Pop3,
                &[
                    Step::Send(b"+OK\r\n"),
                    Step::Expect(CAPA),
                    Step::Send(capabilities.as_bytes()),
                    Step::Expect(STLS),
                    Step::Send(b"-ERR not now\r\n"),
                ],
            );
            assert!(matches!(error, StartTlsError::Rejected { .. }), "{error}");
            assert!(error.to_string().contains("answers STLS with"), "{error}");
        }
    }

    #[test]
    fn another_protocol_is_unexpected() {
        for greeting in [
            "* OK IMAP\r\n",
            "220 mail\r\n",
            "+OKAY\r\n",
            "\r\n",
            "OK\r\n",
        ] {
            let error = assert_fails(Pop3, &[Step::Send(greeting.as_bytes())]);
            assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
        }
        let error = assert_fails(
            Pop3,
            &[
                Step::Send(b"+OK\r\n"),
                Step::Expect(CAPA),
                Step::Send(b"UIDL\r\n"),
            ],
        );
        assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
    }
}
