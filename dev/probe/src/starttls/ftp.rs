//! `AUTH TLS` of RFC 4217.

use std::io::{Read, Write};

use super::conversation::Conversation;
use super::error::StartTlsError;

/// "Service ready in nnn minutes": the greeting follows.
const NOT_READY: &[u8] = b"120";
const GREETING: &[u8] = b"220";
const TLS_STARTS: &[u8] = b"234";
/// The command or its parameter is unknown, or only allowed to users who have logged in, which is
/// how vsftpd answers an unknown command.
const NOT_OFFERED: [&[u8]; 4] = [b"500", b"502", b"504", b"530"];

pub(super) fn begin(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<(), StartTlsError> {
    let mut greeting = read_reply(server)?;
    if greeting.code() == NOT_READY {
        greeting = read_reply(server)?;
    }
    if greeting.code() != GREETING {
        return Err(server.rejected(&greeting.0));
    }
    server.send("AUTH TLS", b"AUTH TLS\r\n")?;
    let reply = read_reply(server)?;
    match reply.code() {
        TLS_STARTS => Ok(()),
        code if NOT_OFFERED.contains(&code) => Err(server.not_offered()),
        _ => Err(server.rejected(&reply.0)),
    }
}

/// The first line of a reply, which begins with three digits.
struct Reply(Vec<u8>);

impl Reply {
    fn code(&self) -> &[u8] {
        &self.0[..3]
    }
}

/// Reads a reply to its end. A reply of several lines begins with a code and a hyphen, and ends with
/// a line that begins with the same code and a space (RFC 959, section 4.2).
fn read_reply(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<Reply, StartTlsError> {
    let first = server.read_line()?;
    let has_code = first.len() >= 3 && first[..3].iter().all(u8::is_ascii_digit);
    let reply = match first.get(3) {
        None | Some(b' ') if has_code => return Ok(Reply(first)),
        Some(b'-') if has_code => Reply(first),
        _ => return Err(server.unexpected(&first)),
    };
    loop {
        let line = server.read_line()?;
        if line.starts_with(reply.code()) && matches!(line.get(3), None | Some(b' ')) {
            return Ok(reply);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::StartTls::Ftp;
    use super::super::scripted::{Step, assert_fails, assert_starts};
    use super::*;

    const AUTH: &[u8] = b"AUTH TLS\r\n";

    #[test]
    fn tls_starts() {
        for (greeting, go) in [
            (
                "220 (vsFTPd 3.0.3)\r\n",
                "234 Proceed with negotiation.\r\n",
            ),
            // Lines without a code, lines with another one, no carriage return.
            (
                "220-a\r\n 220 b\r\n230 c\r\n220 d\r\n",
                "234-\r\n234-x\r\n234 on\r\n",
            ),
            ("120 in 1 minute\r\n220 ready\r\n", "234\r\n"),
            ("220-\n220\n", "234 AUTH TLS\n"),
        ] {
            assert_starts(
                Ftp,
                &[
                    Step::Send(greeting.as_bytes()),
                    Step::Expect(AUTH),
                    Step::Send(go.as_bytes()),
                ],
            );
        }
    }

    fn answer(reply: &str) -> StartTlsError {
        assert_fails(
            Ftp,
            &[
                Step::Send(b"220 files\r\n"),
                Step::Expect(AUTH),
                Step::Send(reply.as_bytes()),
            ],
        )
    }

    #[test]
    fn a_server_without_the_command_does_not_offer_tls() {
        for reply in [
            "500 unknown\r\n",
            "502 Command not implemented.\r\n",
            "504 no such mechanism\r\n",
            "530 Please login with USER and PASS.\r\n",
            "530-Please\r\n530 login.\r\n",
        ] {
            let error = answer(reply);
            assert!(matches!(error, StartTlsError::NotOffered { .. }), "{error}");
            assert!(error.to_string().contains("offers no AUTH TLS"), "{error}");
            assert!(error.to_string().contains("port 990"), "{error}");
        }
    }

    #[test]
    fn a_rejection_is_quoted() {
        let error = assert_fails(Ftp, &[Step::Send(b"421 Too many users\r\n")]);
        let message = error.to_string();
        assert!(message.contains("greets with \"421 Too many"), "{message}");
        for reply in ["431 no resource\r\n", "534 policy\r\n", "200 OK\r\n"] {
            let error = answer(reply);
            assert!(matches!(error, StartTlsError::Rejected { .. }), "{error}");
            assert!(error.to_string().contains("answers AUTH TLS"), "{error}");
        }
    }

    #[test]
    fn another_protocol_is_unexpected() {
        for greeting in ["* OK IMAP\r\n", "+OK\r\n", "22\r\n", "2200 x\r\n", "\r\n"] {
            let error = assert_fails(Ftp, &[Step::Send(greeting.as_bytes())]);
            assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
        }
        let error = answer("TLS\r\n");
        assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
    }
}
