//! `STARTTLS` of RFC 3207.

use std::io::{Read, Write};

use super::conversation::{Conversation, is, words};
use super::error::StartTlsError;

/// An address literal, for a client without a host name (RFC 5321, section 4.1.4). Servers do not
/// check it before a mail is sent.
const EHLO: &[u8] = b"EHLO [127.0.0.1]\r\n";

pub(super) fn begin(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<(), StartTlsError> {
    reply(server, *b"220")?;
    server.send("EHLO", EHLO)?;
    // The first line is the server's name, not an extension.
    let extensions = reply(server, *b"250")?;
    let offered = |line: &Vec<u8>| words(line).next().is_some_and(|word| is(word, "STARTTLS"));
    if !extensions.iter().skip(1).any(offered) {
        return Err(server.not_offered());
    }
    server.send("STARTTLS", b"STARTTLS\r\n")?;
    reply(server, *b"220").map(drop)
}

/// Reads a reply of one or more lines, and returns their text; an error unless it has the code
/// `expected`.
fn reply(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
    expected: [u8; 3],
) -> Result<Vec<Vec<u8>>, StartTlsError> {
    let mut first: Option<[u8; 3]> = None;
    let mut texts = Vec::new();
    loop {
        let line = server.read_line()?;
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
        // The first line is enough for an error; others may not arrive.
        if *code != expected {
            return Err(server.rejected(&line));
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
    use super::super::scripted::{Step, assert_fails, assert_starts};
    use super::*;

    const STARTTLS: &[u8] = b"STARTTLS\r\n";

    #[test]
    fn tls_starts() {
        for (greeting, extensions, go) in [
            (
                "220 mail ESMTP\r\n",
                "250-mail\r\n250 STARTTLS\r\n",
                "220 go\r\n",
            ),
            // Lines without text, several lines, no carriage return, another case.
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
            assert_starts(
                Smtp,
                &[
                    Step::Send(greeting.as_bytes()),
                    Step::Expect(EHLO),
                    Step::Send(extensions.as_bytes()),
                    Step::Expect(STARTTLS),
                    Step::Send(go.as_bytes()),
                ],
            );
        }
    }

    #[test]
    fn a_server_without_the_command_does_not_offer_tls() {
        for extensions in [
            "250 mail\r\n",
            "250 STARTTLS\r\n", // the server's name
            "250-mail\r\n250 STARTTLSX\r\n",
            "250-mail\r\n250 AUTH STARTTLS\r\n",
        ] {
            let error = assert_fails(
                Smtp,
                &[
                    Step::Send(b"220 mail\r\n"),
                    Step::Expect(EHLO),
                    Step::Send(extensions.as_bytes()),
                ],
            );
            assert!(matches!(error, StartTlsError::NotOffered { .. }), "{error}");
        }
    }

    #[test]
    fn a_rejection_is_quoted() {
        let rejects = |steps: &[Step<'_>], expected: &str| {
            let error = assert_fails(Smtp, steps);
            assert!(matches!(error, StartTlsError::Rejected { .. }), "{error:?}");
            assert!(error.to_string().contains(expected), "{error}");
        };
        rejects(&[Step::Send(b"554 no\r\n")], "greets with \"554 no\"");
        rejects(
            &[Step::Send(b"421-busy\r\n"), Step::Close],
            "greets with \"421-busy\"",
        );
        let ehlo = [Step::Send(b"220 mail\r\n"), Step::Expect(EHLO)];
        rejects(
            &[&ehlo[..], &[Step::Send(b"502 what?\r\n")]].concat(),
            "answers EHLO with \"502 what?\"",
        );
        rejects(
            &[
                &ehlo[..],
                &[
                    Step::Send(b"250-mail\r\n250 STARTTLS\r\n"),
                    Step::Expect(STARTTLS),
                    Step::Send(b"454 4.7.0 TLS not available due to local problem\r\n"),
                ],
            ]
            .concat(),
            "answers STARTTLS with \"454 4.7.0 TLS not available",
        );
    }

    #[test]
    fn another_protocol_is_unexpected() {
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
            let error = assert_fails(Smtp, &[Step::Send(greeting.as_bytes())]);
            assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
        }
    }
}
