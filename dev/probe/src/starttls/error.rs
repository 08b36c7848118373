//! Errors of STARTTLS.

use std::io;

use thiserror::Error;

use super::StartTls;

/// Length limit of a quoted response, in characters.
const MAX_QUOTE: usize = 160;

/// Why STARTTLS failed: one line, with the server's response, if there was one, and what to do.
///
/// `command` is the one that was sent last; `None` stands for the greeting, which comes first.
/// `response` is printable ASCII of 160 characters at most.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartTlsError {
    /// The server speaks the protocol, but does not offer TLS on this port.
    #[error(
        "{host} offers no {}: switch TLS on there ({}){}",
        protocol.command(),
        setting(*protocol),
        or_tls_port(*protocol)
    )]
    NotOffered {
        /// The server.
        host: String,
        /// The protocol.
        protocol: StartTls,
    },
    /// The server rejected the command.
    #[error("{host} {} \"{response}\": its log should say why", responds(*command))]
    Rejected {
        /// The server.
        host: String,
        /// The command sent last.
        command: Option<&'static str>,
        /// The response.
        response: String,
    },
    /// The response is not of the protocol.
    #[error(
        "{host} {} \"{response}\", which is not {}: check the port and --starttls",
        responds(*command),
        protocol.name()
    )]
    Unexpected {
        /// The server.
        host: String,
        /// The protocol.
        protocol: StartTls,
        /// The command sent last.
        command: Option<&'static str>,
        /// The response.
        response: String,
    },
    /// A line, or the number of lines, exceeds the limit.
    #[error(
        "{host} {} more than any {} server would say: check the port and --starttls",
        responds(*command),
        protocol.name()
    )]
    TooMuch {
        /// The server.
        host: String,
        /// The protocol.
        protocol: StartTls,
        /// The command sent last.
        command: Option<&'static str>,
    },
    /// The server closed the connection.
    #[error(
        "{host} closed the connection {}: it may reject this client, or have too many \
         connections; its log should say why",
        after(*command)
    )]
    Closed {
        /// The server.
        host: String,
        /// The command sent last.
        command: Option<&'static str>,
    },
    /// The transport's deadline passed.
    #[error(
        "{host} does not {} in time: {}try a longer --timeout",
        command.map_or_else(|| "greet".to_owned(), |command| format!("answer {command}")),
        if_tls_port(*protocol, *command)
    )]
    Timeout {
        /// The server.
        host: String,
        /// The protocol.
        protocol: StartTls,
        /// The command sent last.
        command: Option<&'static str>,
    },
    /// Another error of the transport.
    #[error("the connection to {host} failed: {error}")]
    Io {
        /// The server.
        host: String,
        /// The transport's error.
        #[source]
        error: io::Error,
    },
}

fn after(command: Option<&'static str>) -> String {
    match command {
        None => "without a greeting".to_owned(),
        Some(command) => format!("after {command}"),
    }
}

fn responds(command: Option<&'static str>) -> String {
    match command {
        None => "greets with".to_owned(),
        Some(command) => format!("answers {command} with"),
    }
}

/// The setting that switches TLS on in a common server.
fn setting(protocol: StartTls) -> &'static str {
    match protocol {
        StartTls::Smtp => "Postfix: smtpd_tls_security_level = may",
        StartTls::Imap | StartTls::Pop3 => "Dovecot: ssl = yes",
        StartTls::Ftp => "vsftpd: ssl_enable=YES; ProFTPD: TLSEngine on",
        StartTls::Postgres => "ssl = on",
    }
}

/// The default port of the protocol over TLS from the first byte.
fn tls_port(protocol: StartTls) -> Option<u16> {
    match protocol {
        StartTls::Smtp => Some(465),
        StartTls::Imap => Some(993),
        StartTls::Pop3 => Some(995),
        StartTls::Ftp => Some(990),
        StartTls::Postgres => None,
    }
}

fn or_tls_port(protocol: StartTls) -> String {
    tls_port(protocol).map_or_else(String::new, |port| {
        format!(", or probe port {port} without --starttls")
    })
}

/// A server that sends no greeting may be waiting for the client's `ClientHello`.
fn if_tls_port(protocol: StartTls, command: Option<&str>) -> String {
    match (command, tls_port(protocol)) {
        (None, Some(port)) => {
            format!("leave --starttls out if the port begins with TLS, as {port} does; or ")
        }
        _ => String::new(),
    }
}

/// A response as printable ASCII, shortened.
pub(super) fn printable(response: &[u8]) -> String {
    let length = response.len().min(MAX_QUOTE);
    let mut text: String = response[..length]
        .iter()
        .map(|&byte| match byte {
            b'"' => '\'',
            b' '..=b'~' => char::from(byte),
            _ => '?',
        })
        .collect();
    if length < response.len() {
        text.replace_range(MAX_QUOTE - 3.., "...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_response_is_short_and_printable() {
        assert_eq!(printable(b"554 No \"SMTP\" here"), "554 No 'SMTP' here");
        assert_eq!(printable(b"a\x1b[31m\r\nb\xe2\x80\xae\0"), "a?[31m??b????");
        assert_eq!(printable(&[b'x'; MAX_QUOTE]), "x".repeat(MAX_QUOTE));
        let long = printable(&[b'x'; MAX_QUOTE + 1]);
        assert_eq!(long.len(), MAX_QUOTE);
        assert!(long.ends_with("x..."), "{long}");
    }

    #[test]
    fn each_error_says_what_to_do() {
        let host = || "mail.example".to_owned();
        let io = || io::Error::other("no buffer space");
        let protocol = StartTls::Imap;
        for (error, expected) in [
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
                StartTlsError::Rejected {
                    host: host(),
                    command: None,
                    response: "* BYE".to_owned(),
                },
                "mail.example greets with \"* BYE\": its log should say why",
            ),
            (
                StartTlsError::Unexpected {
                    host: host(),
                    protocol,
                    command: Some("STARTTLS"),
                    response: "?".to_owned(),
                },
                "mail.example answers STARTTLS with \"?\", which is not IMAP: check the port and \
                 --starttls",
            ),
            (
                StartTlsError::TooMuch {
                    host: host(),
                    protocol,
                    command: None,
                },
                "mail.example greets with more than any IMAP server would say: check the port and \
                 --starttls",
            ),
            (
                StartTlsError::Closed {
                    host: host(),
                    command: Some("CAPABILITY"),
                },
                "mail.example closed the connection after CAPABILITY: it may reject this client, \
                 or have too many connections; its log should say why",
            ),
            (
                StartTlsError::Timeout {
                    host: host(),
                    protocol,
                    command: None,
                },
                "mail.example does not greet in time: leave --starttls out if the port begins with \
                 TLS, as 993 does; or try a longer --timeout",
            ),
            (
                StartTlsError::Timeout {
                    host: host(),
                    protocol,
                    command: Some("CAPABILITY"),
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
            assert_eq!(error.to_string(), expected);
        }
    }
}
