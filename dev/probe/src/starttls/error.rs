//! Why TLS cannot begin.

use std::io;

use thiserror::Error;

use super::StartTls;

/// How much of what a server said is shown, in characters.
const SHOWN: usize = 160;

/// Why TLS cannot begin: one line, with what the server said, if it said anything, and what to do.
///
/// `asked` is the command that was not answered as hoped for; `None` is the greeting, which servers
/// send without being asked. `said` is printable ASCII of 160 characters at most.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartTlsError {
    /// The server speaks the protocol, and does not have TLS on this port.
    #[error(
        "{host} offers no {}: switch TLS on there ({}){}",
        protocol.command(),
        setting(*protocol),
        elsewhere(*protocol)
    )]
    NotOffered {
        /// The server.
        host: String,
        /// What it was asked in.
        protocol: StartTls,
    },
    /// The server answered that it does not want to.
    #[error("{host} {} \"{said}\": its log should say why", answers(*asked))]
    Refused {
        /// The server.
        host: String,
        /// What it was asked.
        asked: Option<&'static str>,
        /// What it said.
        said: String,
    },
    /// Something else than the protocol is spoken.
    #[error(
        "{host} {} \"{said}\", which is not {}: check the port and --starttls",
        answers(*asked),
        protocol.name()
    )]
    Unexpected {
        /// The server.
        host: String,
        /// What it was asked in.
        protocol: StartTls,
        /// What it was asked.
        asked: Option<&'static str>,
        /// What it said.
        said: String,
    },
    /// A line, or the number of lines, is longer than any sensible one.
    #[error(
        "{host} {} more than any {} server would say: check the port and --starttls",
        answers(*asked),
        protocol.name()
    )]
    TooMuch {
        /// The server.
        host: String,
        /// What it was asked in.
        protocol: StartTls,
        /// What it was asked.
        asked: Option<&'static str>,
    },
    /// The connection ended.
    #[error(
        "{host} closed the connection {}: it may not want this client, or too many connections; \
         its log should say why",
        asked.map_or_else(|| "without a greeting".to_owned(), |asked| format!("when asked {asked}"))
    )]
    Closed {
        /// The server.
        host: String,
        /// What it was asked.
        asked: Option<&'static str>,
    },
    /// The transport's deadline came first.
    #[error(
        "{host} does not {} in time: {}try a longer --timeout",
        asked.map_or_else(|| "greet".to_owned(), |asked| format!("answer {asked}")),
        waits_for_tls(*protocol, *asked)
    )]
    Timeout {
        /// The server.
        host: String,
        /// What it was asked in.
        protocol: StartTls,
        /// What it was asked.
        asked: Option<&'static str>,
    },
    /// The transport failed in another way.
    #[error("the connection to {host} failed: {error}")]
    Io {
        /// The server.
        host: String,
        /// How it failed.
        #[source]
        error: io::Error,
    },
}

fn answers(asked: Option<&'static str>) -> String {
    match asked {
        None => "greets with".to_owned(),
        Some(asked) => format!("answers {asked} with"),
    }
}

/// What switches TLS on in a common server.
fn setting(protocol: StartTls) -> &'static str {
    match protocol {
        StartTls::Smtp => "Postfix: smtpd_tls_security_level = may",
        StartTls::Imap | StartTls::Pop3 => "Dovecot: ssl = yes",
        StartTls::Postgres => "ssl = on",
    }
}

/// The port where TLS begins at once.
fn tls_port(protocol: StartTls) -> Option<u16> {
    match protocol {
        StartTls::Smtp => Some(465),
        StartTls::Imap => Some(993),
        StartTls::Pop3 => Some(995),
        StartTls::Postgres => None,
    }
}

fn elsewhere(protocol: StartTls) -> String {
    tls_port(protocol).map_or_else(String::new, |port| {
        format!(", or probe port {port} without --starttls")
    })
}

/// Who says nothing waits for the client, which begins TLS.
fn waits_for_tls(protocol: StartTls, asked: Option<&str>) -> String {
    match (asked, tls_port(protocol)) {
        (None, Some(port)) => {
            format!("where TLS begins at once, as on port {port}, leave --starttls out; or ")
        }
        _ => String::new(),
    }
}

/// What a server said, fit to be shown: its bytes may be anything.
pub(super) fn shown(said: &[u8]) -> String {
    let cut = said.len().min(SHOWN);
    let mut text: String = said[..cut]
        .iter()
        .map(|&byte| match byte {
            b'"' => '\'',
            b' '..=b'~' => char::from(byte),
            _ => '?',
        })
        .collect();
    if cut < said.len() {
        text.replace_range(SHOWN - 3.., "...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_short_printable_line() {
        assert_eq!(shown(b"554 No \"SMTP\" here"), "554 No 'SMTP' here");
        assert_eq!(shown(b"a\x1b[31m\r\nb\xe2\x80\xae\0"), "a?[31m??b????");
        assert_eq!(shown(&[b'x'; SHOWN]), "x".repeat(SHOWN));
        let long = shown(&[b'x'; SHOWN + 1]);
        assert_eq!(long.len(), SHOWN);
        assert!(long.ends_with("x..."), "{long}");
    }

    #[test]
    fn each_reason_is_one_line_with_what_to_do() {
        let host = || "mail.example".to_owned();
        let io = || io::Error::other("no buffer space");
        let protocol = StartTls::Imap;
        for (error, says) in [
            (
                StartTlsError::NotOffered {
                    host: host(),
                    protocol,
                },
                "mail.example offers no STARTTLS: switch TLS on there (Dovecot: ssl = yes), or \
                 probe port 993 without --starttls",
            ),
            (
                StartTlsError::NotOffered {
                    host: host(),
                    protocol: StartTls::Postgres,
                },
                "mail.example offers no TLS: switch TLS on there (ssl = on)",
            ),
            (
                StartTlsError::Refused {
                    host: host(),
                    asked: None,
                    said: "* BYE".to_owned(),
                },
                "mail.example greets with \"* BYE\": its log should say why",
            ),
            (
                StartTlsError::Unexpected {
                    host: host(),
                    protocol,
                    asked: Some("STARTTLS"),
                    said: "?".to_owned(),
                },
                "mail.example answers STARTTLS with \"?\", which is not IMAP: check the port and \
                 --starttls",
            ),
            (
                StartTlsError::TooMuch {
                    host: host(),
                    protocol,
                    asked: None,
                },
                "mail.example greets with more than any IMAP server would say: check the port and \
                 --starttls",
            ),
            (
                StartTlsError::Closed {
                    host: host(),
                    asked: Some("CAPABILITY"),
                },
                "mail.example closed the connection when asked CAPABILITY: it may not want this \
                 client, or too many connections; its log should say why",
            ),
            (
                StartTlsError::Timeout {
                    host: host(),
                    protocol,
                    asked: None,
                },
                "mail.example does not greet in time: where TLS begins at once, as on port 993, \
                 leave --starttls out; or try a longer --timeout",
            ),
            (
                StartTlsError::Timeout {
                    host: host(),
                    protocol,
                    asked: Some("CAPABILITY"),
                },
                "mail.example does not answer CAPABILITY in time: try a longer --timeout",
            ),
            (
                StartTlsError::Io {
                    host: host(),
                    error: io(),
                },
                "the connection to mail.example failed: no buffer space",
            ),
        ] {
            assert_eq!(error.to_string(), says);
        }
    }
}
