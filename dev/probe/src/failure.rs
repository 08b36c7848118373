//! Why a connection came to nothing: the same words whichever library made it.

use std::fmt;
use std::io::{self, ErrorKind as IoKind};
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tls_resume::{CertificateError, ErrorKind};

use crate::Options;
use crate::refusal::Refusal;
use crate::starttls::StartTlsError;
use crate::wire::{Heard, TLS12};

/// Alerts of RFC 8446, section 6.2.
const HANDSHAKE_FAILURE: u8 = 40;
const BAD_CERTIFICATE: u8 = 42;
const PROTOCOL_VERSION: u8 = 70;
const CERTIFICATE_REQUIRED: u8 = 116;

/// What the system says when this process, or all of them, may open no more files.
const NO_MORE_FILES: [i32; 2] = [24, 23]; // EMFILE, ENFILE: the same on Linux, macOS and BSD

/// How much of an explanation is shown, in bytes: a certificate may have hundreds of names.
const SHOWN: usize = 400;

/// Why a connection came to nothing, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The name has no address, or nobody could be asked.
    UnknownName,
    /// The address refuses connections on the port.
    Refused,
    /// There is no way to the address.
    Unreachable,
    /// The address did not accept a connection in time.
    NoAnswer,
    /// The server accepted the connection and did not finish the handshake in time.
    Silent,
    /// The server closed the connection during the handshake.
    Closed,
    /// The server does not speak TLS on this port.
    NotTls,
    /// The server speaks TLS 1.1 or older only.
    OldTls,
    /// The server does not speak the version that was asked for.
    OtherVersion,
    /// The certificate leads to no root that is trusted.
    UnknownAuthority,
    /// The certificate is for other names.
    WrongName,
    /// The certificate has run out.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate is refused for another reason.
    Certificate,
    /// The server asks for a client certificate, and a probe has none.
    ClientCertificate,
    /// What is missing is missing here: this process may open no more files.
    Local,
    /// The server did not let TLS begin where it is asked for.
    StartTls,
    /// The handshake failed in another way.
    Handshake,
}

/// A connection that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    /// One line, with what to do.
    pub(crate) why: String,
}

impl Failed {
    /// Text from afar, made fit to be shown.
    pub(crate) fn new(failure: Failure, why: impl fmt::Display) -> Self {
        Self {
            failure,
            why: one_line(&why.to_string()),
        }
    }

    /// There is no address.
    pub(crate) fn unknown(host: &str, error: &io::Error) -> Self {
        if let Some(failed) = Self::local(error) {
            return failed;
        }
        let why = format!("no address found for {host}: {error}; check the name");
        Self::new(Failure::UnknownName, why)
    }

    /// The address cannot be connected to.
    pub(crate) fn unreachable(address: SocketAddr, error: &io::Error, timeout: Duration) -> Self {
        if let Some(failed) = Self::local(error) {
            return failed;
        }
        let (failure, why) = match error.kind() {
            IoKind::ConnectionRefused => (
                Failure::Refused,
                format!("{address} refuses connections: is a server running on that port?"),
            ),
            IoKind::TimedOut => (
                Failure::NoAnswer,
                format!(
                    "{address} does not answer within {} s: is it the right address, and does a \
                     firewall let this pass? Else try a longer --timeout",
                    timeout.as_secs()
                ),
            ),
            _ => (
                Failure::Unreachable,
                format!("cannot connect to {address}: {error}"),
            ),
        };
        Self::new(failure, why)
    }

    /// It is not the server's fault.
    fn local(error: &io::Error) -> Option<Self> {
        let code = error.raw_os_error()?;
        NO_MORE_FILES.contains(&code).then(|| {
            let why = "this process may open no more files: raise the limit (ulimit -n), or use a \
                       smaller --concurrency";
            Self::new(Failure::Local, why)
        })
    }

    /// TLS could not begin.
    pub(crate) fn starttls(error: &StartTlsError) -> Self {
        let failure = match error {
            StartTlsError::Timeout { .. } => Failure::Silent,
            _ => Failure::StartTls,
        };
        Self::new(failure, error)
    }

    /// The handshake with `server` failed; `heard` is what it said in the clear.
    pub(crate) fn handshake(
        server: &str,
        error: &tls_resume::Error,
        heard: &Heard,
        options: &Options,
    ) -> Self {
        if let Some(said) = &heard.plain {
            let said = sample(said);
            let why = if let Some(protocol) = options.starttls {
                format!(
                    "{server} agreed to begin TLS (--starttls {protocol}) and then went on in the \
                     clear (it says \"{said}\"): its log should say why"
                )
            } else {
                format!(
                    "{server} does not speak TLS on this port (it says \"{said}\"): is it a \
                     plain-text port, or one for --starttls?"
                )
            };
            return Self::new(Failure::NotTls, why);
        }
        if let Some(certificate_error) = error.certificate_error() {
            return Self::distrusted(error, certificate_error);
        }
        if let Some(old) = heard.version.filter(|version| *version < TLS12) {
            let why = format!(
                "{server} answers with {} and speaks nothing newer: it needs TLS 1.2 or 1.3",
                version_name(old)
            );
            return Self::new(Failure::OldTls, why);
        }
        match (heard.alert, options.tls) {
            (Some(PROTOCOL_VERSION), None) => {
                let why = format!(
                    "{server} refuses TLS 1.2 and TLS 1.3 (alert protocol_version): it speaks \
                     older versions only, and needs one of these"
                );
                return Self::new(Failure::OldTls, why);
            }
            (Some(PROTOCOL_VERSION), Some(version)) => {
                let why = format!(
                    "{server} refuses {version} (alert protocol_version): leave --tls out, or ask for \
                     another version"
                );
                return Self::new(Failure::OtherVersion, why);
            }
            (Some(CERTIFICATE_REQUIRED), _) => return Self::without_certificate(server),
            (Some(BAD_CERTIFICATE | HANDSHAKE_FAILURE), _) if heard.wants_certificate => {
                return Self::without_certificate(server);
            }
            (Some(HANDSHAKE_FAILURE), _) => {
                let why = format!(
                    "{server} refuses the handshake (alert handshake_failure): it may want \
                     ciphers, groups or signatures that this client does not offer; another \
                     --backend may do"
                );
                return Self::new(Failure::Handshake, why);
            }
            _ => {}
        }
        match error.kind() {
            ErrorKind::Timeout => {
                let why = format!(
                    "{server} accepts the connection and does not finish the handshake within {} \
                     s: does it speak TLS on this port? Else try a longer --timeout",
                    options.timeout.as_secs()
                );
                Self::new(Failure::Silent, why)
            }
            ErrorKind::Closed if heard.wants_certificate => {
                let why = format!(
                    "{server} closed the connection when it had asked for a client certificate, \
                     of which this probe has none: that may be why, and its log should say"
                );
                Self::new(Failure::Closed, why)
            }
            ErrorKind::Closed => {
                let why = format!(
                    "{server} closed the connection during the handshake: does it speak TLS on \
                     this port, and has it a certificate for this name? Its log should say why"
                );
                Self::new(Failure::Closed, why)
            }
            _ => Self::new(Failure::Handshake, error),
        }
    }

    /// The server ended the connection where its sessions should come.
    pub(crate) fn refused(server: &str, refusal: Refusal) -> Self {
        let how = match refusal {
            // Of what it has seen since its own last word, only a certificate can be bad.
            Refusal::Alert(CERTIFICATE_REQUIRED | BAD_CERTIFICATE) => {
                return Self::without_certificate(server);
            }
            Refusal::Alert(HANDSHAKE_FAILURE) => {
                "refuses the client right after the handshake (alert handshake_failure): it may \
                 ask for a client certificate"
                    .to_owned()
            }
            Refusal::Alert(number) => {
                format!("refuses the client right after the handshake (alert {number})")
            }
            Refusal::Reset => {
                let why = format!(
                    "{server} breaks the connection off right after the handshake: its log should \
                     say why"
                );
                return Self::new(Failure::Closed, why);
            }
            Refusal::Nonsense => "sends right after the handshake what is no TLS".to_owned(),
        };
        Self::new(
            Failure::Handshake,
            format_args!("{server} {how}; its log should say why"),
        )
    }

    fn without_certificate(server: &str) -> Self {
        let why = format!("{server} asks for a client certificate, and this probe has none");
        Self::new(Failure::ClientCertificate, why)
    }

    fn distrusted(error: &tls_resume::Error, certificate_error: CertificateError) -> Self {
        let (failure, advice) = match certificate_error {
            CertificateError::UnknownIssuer => (
                Failure::UnknownAuthority,
                "is unknown to those who trust Mozilla's roots, or the server leaves an \
                 intermediate out; --ca trusts another root",
            ),
            CertificateError::NotValidForName => (
                Failure::WrongName,
                "is for another name; --sni asks for one and verifies it",
            ),
            CertificateError::Expired => (
                Failure::Expired,
                "has expired: it has to be renewed, unless the clock here is wrong",
            ),
            CertificateError::NotValidYet => (
                Failure::NotYetValid,
                "is not valid yet: is the clock here right?",
            ),
            _ => (Failure::Certificate, "is refused: --ca trusts another root"),
        };
        let advice = advice.trim_start();
        Self::new(failure, format_args!("the certificate {advice} ({error})"))
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

/// The beginning of what was said, up to the end of its line.
fn sample(said: &[u8]) -> String {
    let end = said.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let line = String::from_utf8_lossy(&said[..end.unwrap_or(said.len())]);
    line.replace('"', "'")
}

/// Text from afar must not break the output into more lines than there are connections, nor steer a
/// terminal.
fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let mut line: String = words
        .join(" ")
        .chars()
        .map(|shown| match shown {
            ' '..='~' => shown,
            _ => '?',
        })
        .collect();
    if line.len() > SHOWN {
        line.truncate(SHOWN - 3);
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_afar_is_one_short_printable_line() {
        let failed = Failed::new(Failure::Handshake, "a\r\nb \x1b[31mc\u{202e}");
        assert_eq!(failed.why, "a b ?[31mc?");
        let long = Failed::new(Failure::Handshake, "x".repeat(5_000));
        assert_eq!(long.why.len(), SHOWN);
        assert!(long.why.ends_with("x..."));
    }

    #[test]
    fn a_sample_ends_with_its_line() {
        assert_eq!(sample(b"220 \"mail\"\r\nmore"), "220 'mail'");
        assert_eq!(one_line(&sample(b"\x00\xffJ")), "??J");
    }

    #[test]
    fn a_lack_of_files_is_not_the_servers_fault() {
        let error = io::Error::from_raw_os_error(NO_MORE_FILES[0]);
        let address = "192.0.2.1:443".parse().unwrap();
        for failed in [
            Failed::unreachable(address, &error, Duration::from_secs(1)),
            Failed::unknown("example.org", &error),
        ] {
            assert_eq!(failed.failure, Failure::Local);
            assert!(failed.why.contains("ulimit -n"), "{failed:?}");
        }
    }

    #[test]
    fn a_refusal_after_the_handshake_says_what_is_certain() {
        for (refusal, failure, says) in [
            (
                Refusal::Alert(116),
                Failure::ClientCertificate,
                "asks for a client certificate",
            ),
            (
                Refusal::Alert(42),
                Failure::ClientCertificate,
                "asks for a client certificate",
            ),
            (
                Refusal::Alert(40),
                Failure::Handshake,
                "may ask for a client certificate",
            ),
            (Refusal::Alert(80), Failure::Handshake, "alert 80"),
            (Refusal::Reset, Failure::Closed, "right after the handshake"),
        ] {
            let failed = Failed::refused("server", refusal);
            assert_eq!(failed.failure, failure);
            assert!(failed.why.contains(says), "{failed:?}");
        }
    }

    #[test]
    fn words_for_programs() {
        let json = serde_json::to_value(Failure::NotYetValid).unwrap();
        assert_eq!(json, "not_yet_valid");
    }
}
