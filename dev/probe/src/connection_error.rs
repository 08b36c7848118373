//! Error messages of failed connections, the same whichever library connected.
//!
//! A message states what happened, where, and what is certain to help. It does not ask whether the
//! port speaks TLS at all: other connections may show that, so this is in the verdict's remedy.

use std::fmt;
use std::io::{self, ErrorKind as IoKind};
use std::net::SocketAddr;
use std::time::Duration;

use tls_resume::{CertificateError, ErrorKind};

use crate::abort::Abort;
use crate::starttls::StartTlsError;
use crate::wire::{Cleartext, TLS12};
use crate::{Failure, Options};

/// Alerts of RFC 8446, section 6.2.
const HANDSHAKE_FAILURE: u8 = 40;
const BAD_CERTIFICATE: u8 = 42;
const UNSUPPORTED_CERTIFICATE: u8 = 43;
const CERTIFICATE_UNKNOWN: u8 = 46;
const UNKNOWN_CA: u8 = 48;
const DECRYPT_ERROR: u8 = 51;
const PROTOCOL_VERSION: u8 = 70;
const INTERNAL_ERROR: u8 = 80;
const CERTIFICATE_REQUIRED: u8 = 116;

/// OS errors when this process, or all of them, may open no more files: EMFILE and ENFILE, the same
/// numbers on Linux, macOS and BSD.
const TOO_MANY_FILES: [i32; 2] = [24, 23];

/// Length limit of a message in bytes: a certificate may have hundreds of names.
const MAX_LENGTH: usize = 400;

/// A failed connection: a code, a message of one line, and what was sent before it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionError {
    pub(crate) failure: Failure,
    pub(crate) message: String,
    /// Whether a session was offered.
    pub(crate) offered: bool,
    /// Bytes received and sent since TLS began.
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

impl ConnectionError {
    /// Makes the message, which may contain text from the server, one printable line.
    pub(crate) fn new(failure: Failure, message: impl fmt::Display) -> Self {
        Self {
            failure,
            message: one_line(&message.to_string()),
            offered: false,
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    /// The host could not be resolved.
    pub(crate) fn resolve(host: &str, error: &io::Error) -> Self {
        if let Some(local) = Self::local(error) {
            return local;
        }
        let message = format!("no address found for {host}: {error}; check the name");
        Self::new(Failure::UnknownName, message)
    }

    /// The TCP connection failed.
    pub(crate) fn connect(address: SocketAddr, error: &io::Error, timeout: Duration) -> Self {
        if let Some(local) = Self::local(error) {
            return local;
        }
        let (failure, message) = match error.kind() {
            IoKind::ConnectionRefused => (
                Failure::Refused,
                format!("{address} refuses connections: is a server running on that port?"),
            ),
            IoKind::TimedOut => (
                Failure::NoAnswer,
                format!(
                    "{address} does not answer within {}: check the address and firewalls, or try \
                     a longer --timeout",
                    seconds(timeout)
                ),
            ),
            _ => (
                Failure::Unreachable,
                format!("cannot connect to {address}: {error}"),
            ),
        };
        Self::new(failure, message)
    }

    /// Errors of this machine, not of the server.
    fn local(error: &io::Error) -> Option<Self> {
        let code = error.raw_os_error()?;
        TOO_MANY_FILES.contains(&code).then(|| {
            let message = "this process may open no more files: raise the limit (ulimit -n), or \
                           use a smaller --concurrency";
            Self::new(Failure::Local, message)
        })
    }

    /// STARTTLS failed.
    pub(crate) fn starttls(error: &StartTlsError) -> Self {
        let failure = match error {
            StartTlsError::Timeout { .. } => Failure::Silent,
            _ => Failure::StartTls,
        };
        Self::new(failure, error)
    }

    /// The handshake with `server` failed, after it had sent this cleartext.
    pub(crate) fn handshake(
        server: &str,
        error: &tls_resume::Error,
        cleartext: &Cleartext,
        options: &Options,
    ) -> Self {
        if let Some(sent) = &cleartext.not_tls {
            return Self::not_tls(server, sent, options);
        }
        if let Some(certificate_error) = error.certificate_error() {
            return Self::certificate(error, certificate_error);
        }
        if let Some(version) = cleartext.version.filter(|version| *version < TLS12) {
            let message = format!(
                "{server} answers with {} and speaks nothing newer: it needs TLS 1.2 or 1.3",
                version_name(version)
            );
            return Self::new(Failure::OldTls, message);
        }
        if let Some(alert) = cleartext.alert
            && let Some(error) = Self::alert(server, alert, error, cleartext, options)
        {
            return error;
        }
        match error.kind() {
            ErrorKind::Timeout => Self::timeout(server, cleartext, options),
            ErrorKind::Closed => Self::closed(server, cleartext, options),
            _ => Self::new(Failure::Handshake, error),
        }
    }

    fn not_tls(server: &str, sent: &[u8], options: &Options) -> Self {
        let sent = first_line(sent);
        let message = if let Some(protocol) = options.starttls {
            format!(
                "{server} agreed to start TLS (--starttls {protocol}), then sent \"{sent}\" \
                 instead: its log should say why"
            )
        } else {
            format!("{server} sent \"{sent}\" instead of TLS")
        };
        Self::new(Failure::NotTls, message)
    }

    /// `None` for an alert that says no more than the library's error.
    fn alert(
        server: &str,
        alert: u8,
        error: &tls_resume::Error,
        cleartext: &Cleartext,
        options: &Options,
    ) -> Option<Self> {
        let (failure, message) = match (alert, options.tls) {
            (PROTOCOL_VERSION, None) => (
                Failure::OldTls,
                format!(
                    "{server} rejects TLS 1.2 and TLS 1.3 (alert protocol_version): it speaks \
                     older versions only, and needs one of these"
                ),
            ),
            (PROTOCOL_VERSION, Some(version)) => (
                Failure::OtherVersion,
                format!(
                    "{server} rejects {version} (alert protocol_version): leave --tls out, or \
                     give the other version"
                ),
            ),
            (CERTIFICATE_REQUIRED, _) => {
                return Some(Self::client_certificate(server, alert, options));
            }
            _ if cleartext.certificate_request
                && (alert == HANDSHAKE_FAILURE || concerns_client_certificate(alert, options)) =>
            {
                return Some(Self::client_certificate(server, alert, options));
            }
            (INTERNAL_ERROR, _) => (
                Failure::Handshake,
                format!(
                    "{server} fails in the handshake (alert internal_error): its log should say why"
                ),
            ),
            // The session comes from a handshake that succeeded, so the ciphers are not to blame.
            (HANDSHAKE_FAILURE, _) if error.offered_session() => (
                Failure::Handshake,
                format!(
                    "{server} rejects the handshake (alert handshake_failure), in which a session \
                     was offered: its log should say why"
                ),
            ),
            (HANDSHAKE_FAILURE, _) => (
                Failure::Handshake,
                format!(
                    "{server} rejects the handshake (alert handshake_failure): it may require \
                     cipher suites, groups or signature algorithms that this client does not \
                     offer; try another --backend"
                ),
            ),
            _ => return None,
        };
        Some(Self::new(failure, message))
    }

    fn timeout(server: &str, cleartext: &Cleartext, options: &Options) -> Self {
        let progress = if cleartext.is_tls {
            "began the TLS handshake and did not finish it"
        } else {
            "accepted the connection and sent no TLS"
        };
        let message = format!(
            "{server} {progress} within {}: try a longer --timeout",
            seconds(options.timeout)
        );
        Self::new(Failure::Silent, message)
    }

    fn closed(server: &str, cleartext: &Cleartext, options: &Options) -> Self {
        let progress = if cleartext.certificate_request && options.cert.is_some() {
            "after it had requested a client certificate: it may reject that of --cert"
        } else if cleartext.certificate_request {
            "after it had requested a client certificate, and none was given with --cert: that \
             may be the reason"
        } else if cleartext.is_tls {
            "during the TLS handshake"
        } else {
            "before it sent any TLS"
        };
        let message = format!("{server} closed the connection {progress}; its log should say why");
        Self::new(Failure::Closed, message)
    }

    /// The server ended the connection right after the handshake.
    pub(crate) fn aborted(server: &str, abort: Abort, options: &Options) -> Self {
        let what = match abort {
            // The server has seen nothing but the client's Certificate and Finished since its own
            // last message.
            Abort::Alert(alert) if concerns_client_certificate(alert, options) => {
                return Self::client_certificate(server, alert, options);
            }
            Abort::Alert(HANDSHAKE_FAILURE) => {
                "rejects the client right after the handshake (alert handshake_failure): it may \
                 require a client certificate"
                    .to_owned()
            }
            Abort::Alert(number) => {
                format!("rejects the client right after the handshake (alert {number})")
            }
            Abort::Reset => {
                let message = format!(
                    "{server} resets the connection right after the handshake; its log should \
                     say why"
                );
                return Self::new(Failure::Closed, message);
            }
            Abort::InvalidData => "sends invalid TLS right after the handshake".to_owned(),
        };
        Self::new(
            Failure::Handshake,
            format_args!("{server} {what}; its log should say why"),
        )
    }

    /// The server's alert says that the client's certificate is missing or not accepted.
    fn client_certificate(server: &str, alert: u8, options: &Options) -> Self {
        let message = match &options.cert {
            None => {
                format!("{server} requires a client certificate: give one with --cert and --key")
            }
            // A client sends none that the CAs in the server's request have not issued.
            Some(_) if alert == CERTIFICATE_REQUIRED => format!(
                "{server} requires a client certificate of one of its CAs, which that of --cert \
                 is not"
            ),
            Some(file) => format!(
                "{server} rejects the client certificate of {} (alert {alert}): its log should \
                 say why",
                file.display()
            ),
        };
        Self::new(Failure::ClientCertificate, message)
    }

    fn certificate(error: &tls_resume::Error, certificate_error: CertificateError) -> Self {
        let (failure, text) = match certificate_error {
            CertificateError::UnknownIssuer => (
                Failure::UnknownAuthority,
                "leads to no trusted root, or the server leaves out an intermediate certificate: \
                 --ca trusts another root",
            ),
            CertificateError::NotValidForName => (
                Failure::WrongName,
                "is for another name: give one of its names with --sni",
            ),
            CertificateError::Expired => (
                Failure::Expired,
                "has expired: renew it, or check the clock of this machine",
            ),
            CertificateError::NotValidYet => (
                Failure::NotYetValid,
                "is not valid yet: check the clock of this machine",
            ),
            _ => return Self::new(Failure::Certificate, error),
        };
        Self::new(failure, format_args!("the certificate {text} ({error})"))
    }
}

/// Whether a server that asked for a client certificate sends this alert because of it, or the lack
/// of one. `decrypt_error` says that a signature is wrong, also that of a CA.
fn concerns_client_certificate(alert: u8, options: &Options) -> bool {
    match alert {
        BAD_CERTIFICATE | CERTIFICATE_REQUIRED => true,
        UNSUPPORTED_CERTIFICATE..=CERTIFICATE_UNKNOWN | UNKNOWN_CA | DECRYPT_ERROR => {
            options.cert.is_some()
        }
        _ => false,
    }
}

fn seconds(timeout: Duration) -> String {
    if timeout.subsec_millis() == 0 {
        format!("{} s", timeout.as_secs())
    } else {
        format!("{:.1} s", timeout.as_secs_f64())
    }
}

fn version_name(number: u16) -> String {
    match number {
        0x0300 => "SSL 3.0".to_owned(),
        0x0301 => "TLS 1.0".to_owned(),
        0x0302 => "TLS 1.1".to_owned(),
        other => format!("version {other:#06x}"),
    }
}

fn first_line(text: &[u8]) -> String {
    let mut lines = text.split(|byte| matches!(byte, b'\r' | b'\n'));
    let line = lines.next().unwrap_or_default();
    String::from_utf8_lossy(line).replace('"', "'")
}

/// Text from a server must not add lines to the output, nor control a terminal.
fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let mut line: String = words
        .join(" ")
        .chars()
        .map(|char| match char {
            ' '..='~' => char,
            _ => '?',
        })
        .collect();
    if line.len() > MAX_LENGTH {
        line.truncate(MAX_LENGTH - 3);
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests;
