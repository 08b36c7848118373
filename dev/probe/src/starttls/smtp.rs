//! `STARTTLS` of RFC 3207, by the facade's state machine.

use std::io::{Read, Write};

use tls_resume::starttls::{Smtp, SmtpError, Step};

use super::conversation::Conversation;
use super::error::StartTlsError;

/// An address literal, for a client without a host name (RFC 5321, section 4.1.4). Servers do not
/// check it before a mail is sent.
const HELLO: &str = "[127.0.0.1]";

pub(super) fn begin(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<(), StartTlsError> {
    let mut smtp = Smtp::new(HELLO);
    loop {
        let line = server.read_line()?;
        match smtp.receive(&line) {
            Ok(Step::Read) => {}
            Ok(Step::Send { command, text }) => server.send(command.as_str(), text.as_bytes())?,
            Ok(Step::StartTls) => return Ok(()),
            Err(SmtpError::NotOffered) => return Err(server.not_offered()),
            Err(SmtpError::Rejected { .. }) => return Err(server.rejected(&line)),
            Err(_) => return Err(server.unexpected(&line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::StartTls::Smtp;
    use super::super::error::StartTlsError;
    use super::super::scripted::{Step, assert_fails, assert_starts};

    const EHLO: &[u8] = b"EHLO [127.0.0.1]\r\n";
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
