//! `STARTTLS` of RFC 9051.

use std::io::{Read, Write};

use super::conversation::{Conversation, is, words};
use super::error::StartTlsError;

pub(super) fn begin(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<(), StartTlsError> {
    greeting(server)?;
    let mut offered = false;
    command(server, "CAPABILITY", "a1", |line| {
        let mut words = words(line);
        if words.next().is_some_and(|word| is(word, "CAPABILITY")) {
            offered |= words.any(|word| is(word, "STARTTLS"));
        }
    })?;
    if !offered {
        return Err(server.not_offered());
    }
    command(server, "STARTTLS", "a2", |_| {})
}

/// Reads the greeting. After PREAUTH the client counts as logged in, and STARTTLS is not allowed.
fn greeting(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<(), StartTlsError> {
    let line = server.read_line()?;
    let mut words = words(&line);
    match (words.next(), words.next()) {
        (Some(b"*"), Some(word)) if is(word, "OK") => Ok(()),
        (Some(b"*"), Some(word)) if is(word, "BYE") || is(word, "PREAUTH") => {
            Err(server.rejected(&line))
        }
        _ => Err(server.unexpected(&line)),
    }
}

/// Sends a command and reads up to its tagged response. Untagged responses go to `on_untagged`,
/// without the asterisk.
fn command(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
    name: &'static str,
    tag: &str,
    mut on_untagged: impl FnMut(&[u8]),
) -> Result<(), StartTlsError> {
    server.send(name, format!("{tag} {name}\r\n").as_bytes())?;
    loop {
        let line = server.read_line()?;
        let mut words = words(&line);
        match (words.next(), words.next()) {
            (Some(b"*"), Some(word)) if is(word, "BYE") => return Err(server.rejected(&line)),
            (Some(b"*"), Some(_)) => on_untagged(&line[1..]),
            (Some(word), Some(status)) if word == tag.as_bytes() => {
                return if is(status, "OK") {
                    Ok(())
                } else if is(status, "NO") || is(status, "BAD") {
                    Err(server.rejected(&line))
                } else {
                    Err(server.unexpected(&line))
                };
            }
            _ => return Err(server.unexpected(&line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::StartTls::Imap;
    use super::super::scripted::{Step, assert_fails, assert_starts};
    use super::*;

    const CAPABILITY: &[u8] = b"a1 CAPABILITY\r\n";
    const STARTTLS: &[u8] = b"a2 STARTTLS\r\n";

    #[test]
    fn tls_starts() {
        for (greeting, capabilities, go) in [
            (
                "* OK [CAPABILITY IMAP4rev1] ready\r\n",
                "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK done\r\n",
                "a2 OK begin\r\n",
            ),
            // Two capability lines, other responses between them, lower case, no text.
            (
                "* ok\r\n",
                "* CAPABILITY IMAP4rev1\r\n* OK a word\r\n* capability starttls\r\na1 ok\r\n",
                "* OK [ALERT] a1 OK\r\n* 3 EXISTS\r\na2 OK\r\n",
            ),
        ] {
            assert_starts(
                Imap,
                &[
                    Step::Send(greeting.as_bytes()),
                    Step::Expect(CAPABILITY),
                    Step::Send(capabilities.as_bytes()),
                    Step::Expect(STARTTLS),
                    Step::Send(go.as_bytes()),
                ],
            );
        }
    }

    #[test]
    fn a_server_without_the_command_does_not_offer_tls() {
        for capabilities in [
            "* CAPABILITY IMAP4rev1\r\na1 OK\r\n",
            "a1 OK STARTTLS\r\n",
            "* OK STARTTLS\r\n* CAPABILITY STARTTLSX\r\na1 OK\r\n",
        ] {
            let error = assert_fails(
                Imap,
                &[
                    Step::Send(b"* OK ready\r\n"),
                    Step::Expect(CAPABILITY),
                    Step::Send(capabilities.as_bytes()),
                ],
            );
            assert!(matches!(error, StartTlsError::NotOffered { .. }), "{error}");
        }
    }

    #[test]
    fn a_rejection_is_quoted() {
        for greeting in ["* BYE too many\r\n", "* PREAUTH IMAP4rev1 hello, you\r\n"] {
            let error = assert_fails(Imap, &[Step::Send(greeting.as_bytes())]);
            assert!(matches!(error, StartTlsError::Rejected { .. }), "{error}");
            assert!(error.to_string().contains(greeting.trim_end()), "{error}");
        }
        for response in ["a1 NO\r\n", "a1 BAD what?\r\n", "* BYE\r\n"] {
            let error = assert_fails(
                Imap,
                &[
                    Step::Send(b"* OK\r\n"),
                    Step::Expect(CAPABILITY),
                    Step::Send(response.as_bytes()),
                ],
            );
            assert!(matches!(error, StartTlsError::Rejected { .. }), "{error}");
        }
        for response in ["a2 NO not now\r\n", "a2 BAD\r\n", "* BYE\r\na2 OK\r\n"] {
            let error = assert_fails(
                Imap,
                &[
                    Step::Send(b"* OK\r\n"),
                    Step::Expect(CAPABILITY),
                    Step::Send(b"* CAPABILITY STARTTLS\r\na1 OK\r\n"),
                    Step::Expect(STARTTLS),
                    Step::Send(response.as_bytes()),
                ],
            );
            assert!(matches!(error, StartTlsError::Rejected { .. }), "{error}");
            assert!(error.to_string().contains("answers STARTTLS"), "{error}");
        }
    }

    #[test]
    fn another_protocol_is_unexpected() {
        for greeting in [
            "+OK POP3\r\n",
            "220 mail\r\n",
            "*\r\n",
            "* NO\r\n",
            "\r\n",
            "a1 OK\r\n",
        ] {
            let error = assert_fails(Imap, &[Step::Send(greeting.as_bytes())]);
            assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
        }
        for response in [
            "a2 OK early\r\n",
            "A1 OK\r\n",
            "+ go on\r\n",
            "a1\r\n",
            "a1 MAYBE\r\n",
            "*\r\n",
        ] {
            let error = assert_fails(
                Imap,
                &[
                    Step::Send(b"* OK\r\n"),
                    Step::Expect(CAPABILITY),
                    Step::Send(response.as_bytes()),
                ],
            );
            assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
        }
    }
}
