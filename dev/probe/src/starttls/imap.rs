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

/// Only who has not logged in may ask for TLS: a server that takes the client as somebody already
/// (PREAUTH) refuses it.
fn greeting(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<(), StartTlsError> {
    let line = server.line()?;
    let mut words = words(&line);
    match (words.next(), words.next()) {
        (Some(b"*"), Some(word)) if is(word, "OK") => Ok(()),
        (Some(b"*"), Some(word)) if is(word, "BYE") || is(word, "PREAUTH") => {
            Err(server.refused(&line))
        }
        _ => Err(server.unexpected(&line)),
    }
}

/// Sends a command and reads up to its answer. What the server says in between goes to `untagged`,
/// without the asterisk.
fn command(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
    name: &'static str,
    tag: &str,
    mut untagged: impl FnMut(&[u8]),
) -> Result<(), StartTlsError> {
    server.ask(name, format!("{tag} {name}\r\n").as_bytes())?;
    loop {
        let line = server.line()?;
        let mut words = words(&line);
        match (words.next(), words.next()) {
            (Some(b"*"), Some(word)) if is(word, "BYE") => return Err(server.refused(&line)),
            (Some(b"*"), Some(_)) => untagged(&line[1..]),
            (Some(word), Some(status)) if word == tag.as_bytes() => {
                return if is(status, "OK") {
                    Ok(())
                } else if is(status, "NO") || is(status, "BAD") {
                    Err(server.refused(&line))
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
    use super::super::scripted::{Play, begins, fails};
    use super::*;

    const CAPABILITY: &[u8] = b"a1 CAPABILITY\r\n";
    const STARTTLS: &[u8] = b"a2 STARTTLS\r\n";

    #[test]
    fn tls_begins() {
        for (greeting, capabilities, go) in [
            (
                "* OK [CAPABILITY IMAP4rev1] ready\r\n",
                "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK done\r\n",
                "a2 OK begin\r\n",
            ),
            // Two lines of capabilities, others between them, another case, no text.
            (
                "* ok\r\n",
                "* CAPABILITY IMAP4rev1\r\n* OK a word\r\n* capability starttls\r\na1 ok\r\n",
                "* OK [ALERT] a1 OK\r\n* 3 EXISTS\r\na2 OK\r\n",
            ),
        ] {
            begins(
                Imap,
                &[
                    Play::Say(greeting.as_bytes()),
                    Play::Hear(CAPABILITY),
                    Play::Say(capabilities.as_bytes()),
                    Play::Hear(STARTTLS),
                    Play::Say(go.as_bytes()),
                ],
            );
        }
    }

    #[test]
    fn not_offered() {
        for capabilities in [
            "* CAPABILITY IMAP4rev1\r\na1 OK\r\n",
            "a1 OK STARTTLS\r\n",
            "* OK STARTTLS\r\n* CAPABILITY STARTTLSX\r\na1 OK\r\n",
        ] {
            let error = fails(
                Imap,
                &[
                    Play::Say(b"* OK ready\r\n"),
                    Play::Hear(CAPABILITY),
                    Play::Say(capabilities.as_bytes()),
                ],
            );
            assert!(matches!(error, StartTlsError::NotOffered { .. }), "{error}");
        }
    }

    #[test]
    fn refused() {
        for greeting in ["* BYE too many\r\n", "* PREAUTH IMAP4rev1 hello, you\r\n"] {
            let error = fails(Imap, &[Play::Say(greeting.as_bytes())]);
            assert!(matches!(error, StartTlsError::Refused { .. }), "{error}");
            assert!(error.to_string().contains(greeting.trim_end()), "{error}");
        }
        for answer in ["a1 NO\r\n", "a1 BAD what?\r\n", "* BYE\r\n"] {
            let error = fails(
                Imap,
                &[
                    Play::Say(b"* OK\r\n"),
                    Play::Hear(CAPABILITY),
                    Play::Say(answer.as_bytes()),
                ],
            );
            assert!(matches!(error, StartTlsError::Refused { .. }), "{error}");
        }
        for answer in ["a2 NO not now\r\n", "a2 BAD\r\n", "* BYE\r\na2 OK\r\n"] {
            let error = fails(
                Imap,
                &[
                    Play::Say(b"* OK\r\n"),
                    Play::Hear(CAPABILITY),
                    Play::Say(b"* CAPABILITY STARTTLS\r\na1 OK\r\n"),
                    Play::Hear(STARTTLS),
                    Play::Say(answer.as_bytes()),
                ],
            );
            assert!(matches!(error, StartTlsError::Refused { .. }), "{error}");
            assert!(error.to_string().contains("answers STARTTLS"), "{error}");
        }
    }

    #[test]
    fn another_protocol() {
        for greeting in [
            "+OK POP3\r\n",
            "220 mail\r\n",
            "*\r\n",
            "* NO\r\n",
            "\r\n",
            "a1 OK\r\n",
        ] {
            let error = fails(Imap, &[Play::Say(greeting.as_bytes())]);
            assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
        }
        for answer in [
            "a2 OK early\r\n",
            "A1 OK\r\n",
            "+ go on\r\n",
            "a1\r\n",
            "a1 MAYBE\r\n",
            "*\r\n",
        ] {
            let error = fails(
                Imap,
                &[
                    Play::Say(b"* OK\r\n"),
                    Play::Hear(CAPABILITY),
                    Play::Say(answer.as_bytes()),
                ],
            );
            assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
        }
    }
}
