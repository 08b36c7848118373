//! `STARTTLS` of RFC 3207.

use std::io::{Read, Write};

use super::conversation::{Conversation, is, words};
use super::error::StartTlsError;

/// A client without a name says its address. What it is the probe does not know; nobody checks it
/// before there is mail.
const EHLO: &[u8] = b"EHLO [127.0.0.1]\r\n";

pub(super) fn begin(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<(), StartTlsError> {
    reply(server, *b"220")?;
    server.ask("EHLO", EHLO)?;
    // The first line has the server's name, which may be any word.
    let extensions = reply(server, *b"250")?;
    let offered = |line: &Vec<u8>| words(line).next().is_some_and(|word| is(word, "STARTTLS"));
    if !extensions.iter().skip(1).any(offered) {
        return Err(server.not_offered());
    }
    server.ask("STARTTLS", b"STARTTLS\r\n")?;
    reply(server, *b"220").map(drop)
}

/// Reads a reply of one or more lines with the code that lets the conversation go on, and gives
/// their text.
fn reply(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
    hoped: [u8; 3],
) -> Result<Vec<Vec<u8>>, StartTlsError> {
    let mut first: Option<[u8; 3]> = None;
    let mut texts = Vec::new();
    loop {
        let line = server.line()?;
        let Some((code, rest)) = line.split_first_chunk::<3>() else {
            return Err(server.unexpected(&line));
        };
        let is_code = matches!(code[0], b'2'..=b'5') && code.iter().all(u8::is_ascii_digit);
        if !is_code || first.is_some_and(|first| first != *code) {
            return Err(server.unexpected(&line));
        }
        let last = match rest.first() {
            None | Some(b' ') => true,
            Some(b'-') => false,
            Some(_) => return Err(server.unexpected(&line)),
        };
        // The first line already says no, and the others may not come.
        if *code != hoped {
            return Err(server.refused(&line));
        }
        first = Some(*code);
        texts.push(rest.get(1..).unwrap_or_default().to_vec());
        if last {
            return Ok(texts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::StartTls::Smtp;
    use super::super::scripted::{Play, begins, fails};
    use super::*;

    const STARTTLS: &[u8] = b"STARTTLS\r\n";

    #[test]
    fn tls_begins() {
        for (greeting, extensions, go) in [
            (
                "220 mail ESMTP\r\n",
                "250-mail\r\n250 STARTTLS\r\n",
                "220 go\r\n",
            ),
            // Lines without text, several of them, no carriage return, another case.
            (
                "220-a\r\n220 b\r\n",
                "250-\r\n250-SIZE 1\r\n250 StartTLS\r\n",
                "220\r\n",
            ),
            (
                "220 mail\n",
                "250-mail\n250-starttls \n250 HELP\n",
                "220-go\n220 on\n",
            ),
        ] {
            begins(
                Smtp,
                &[
                    Play::Say(greeting.as_bytes()),
                    Play::Hear(EHLO),
                    Play::Say(extensions.as_bytes()),
                    Play::Hear(STARTTLS),
                    Play::Say(go.as_bytes()),
                ],
            );
        }
    }

    #[test]
    fn not_offered() {
        for extensions in [
            "250 mail\r\n",
            "250 STARTTLS\r\n", // its name
            "250-mail\r\n250 STARTTLSX\r\n",
            "250-mail\r\n250 AUTH STARTTLS\r\n",
        ] {
            let error = fails(
                Smtp,
                &[
                    Play::Say(b"220 mail\r\n"),
                    Play::Hear(EHLO),
                    Play::Say(extensions.as_bytes()),
                ],
            );
            assert!(matches!(error, StartTlsError::NotOffered { .. }), "{error}");
        }
    }

    #[test]
    fn refused() {
        let says = |play: &[Play<'_>], says: &str| {
            let error = fails(Smtp, play);
            assert!(matches!(error, StartTlsError::Refused { .. }), "{error:?}");
            assert!(error.to_string().contains(says), "{error}");
        };
        says(&[Play::Say(b"554 no\r\n")], "greets with \"554 no\"");
        says(
            &[Play::Say(b"421-busy\r\n"), Play::Close],
            "greets with \"421-busy\"",
        );
        let ehlo = [Play::Say(b"220 mail\r\n"), Play::Hear(EHLO)];
        says(
            &[&ehlo[..], &[Play::Say(b"502 what?\r\n")]].concat(),
            "answers EHLO with \"502 what?\"",
        );
        says(
            &[
                &ehlo[..],
                &[
                    Play::Say(b"250-mail\r\n250 STARTTLS\r\n"),
                    Play::Hear(STARTTLS),
                    Play::Say(b"454 4.7.0 TLS not available due to local problem\r\n"),
                ],
            ]
            .concat(),
            "answers STARTTLS with \"454 4.7.0 TLS not available",
        );
    }

    #[test]
    fn another_protocol() {
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
            let error = fails(Smtp, &[Play::Say(greeting.as_bytes())]);
            assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
        }
    }
}
