//! Errors of configurations and connections. The store has none: a failure of it costs a full
//! handshake.

mod alert;

use std::fmt;
use std::io;

pub use self::alert::Alert;

/// Why a connector could not be built or a connection could not be made. `Display` writes one line;
/// [`source`](std::error::Error::source) is the error of the TLS library or of I/O, if there was
/// one.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    certificate: Option<CertificateError>,
    alert: Option<Alert>,
    offered_session: bool,
    retried: bool,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The connector's settings are not valid: an unreadable file, bad limits, no protocol version.
    /// Also a URI that an HTTP connector cannot connect to.
    Config,
    /// The host is neither a DNS name nor an IP address.
    Name,
    /// The host name could not be resolved.
    Resolve,
    /// No address of the host accepted a connection.
    Connect,
    /// The server's certificate is not valid, not trusted, or for another name.
    Certificate,
    /// The handshake failed for another reason.
    Handshake,
    /// The server closed the connection during the handshake.
    Closed,
    /// The server did not answer in time, during TCP's connect or the handshake.
    Timeout,
    /// Reading or writing failed during the handshake.
    Io,
}

/// Why a server's certificate was rejected: the reason for an [`Error`] of
/// [`ErrorKind::Certificate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateError {
    /// No chain leads to a trusted root: the root is not trusted, or the server did not send the
    /// intermediate certificates.
    UnknownIssuer,
    /// The certificate is for other names.
    NotValidForName,
    /// A certificate of the chain has expired.
    Expired,
    /// A certificate of the chain is not valid yet.
    NotValidYet,
    /// Another reason, which the message states.
    Other,
}

/// Evidence that the server speaks TLS, for the error of a connection that ends during the
/// handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsEvidence {
    /// Nothing does.
    None,
    /// It sent TLS records in this handshake.
    Records,
    /// It gave the client the session that this handshake offered.
    Session,
}

impl TlsEvidence {
    pub(crate) fn new(received_records: bool, offered_session: bool) -> Self {
        if received_records {
            Self::Records
        } else if offered_session {
            Self::Session
        } else {
            Self::None
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        // A library's text may have several lines.
        let message = message.to_string().replace(['\r', '\n'], " ");
        Self {
            kind,
            certificate: None,
            alert: None,
            offered_session: false,
            retried: false,
            message,
            source: None,
        }
    }

    /// An error of [`ErrorKind::Config`].
    pub(crate) fn config(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// An error of [`ErrorKind::Config`] with the message of another error.
    #[cfg(feature = "shared")]
    pub(crate) fn config_from<E>(error: E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        Self::config(&error).caused_by(error)
    }

    pub(crate) fn caused_by<E>(self, source: E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// Sets whether a session was offered in the handshake that failed.
    pub(crate) fn with_offered(self, offered_session: bool) -> Self {
        Self {
            offered_session,
            ..self
        }
    }

    /// The second attempt failed, too.
    pub(crate) fn after_retry(self) -> Self {
        Self {
            retried: true,
            ..self
        }
    }

    /// The error when the server sent a fatal alert in the handshake with `host`.
    pub(crate) fn of_alert(host: &str, number: u8) -> Self {
        let alert = Alert::Received(number);
        let message = format!("{host}: the server ended the handshake by the alert {alert}");
        Self {
            alert: Some(alert),
            ..Self::new(ErrorKind::Handshake, message)
        }
    }

    /// Sets the alert that this client sent, if it is known.
    pub(crate) fn with_sent(self, number: Option<u8>) -> Self {
        let alert = number.map(Alert::Sent).or(self.alert);
        Self { alert, ..self }
    }

    /// Whether the handshake may succeed without the session that was offered in it.
    pub(crate) fn may_be_of_session(&self) -> bool {
        let of_handshake = matches!(
            self.kind,
            ErrorKind::Handshake | ErrorKind::Closed | ErrorKind::Timeout | ErrorKind::Io
        );
        self.offered_session && of_handshake
    }

    /// Tells the connection's handle in the store why the handshake failed: by `rejected`, with the
    /// server's alert, or by `distrusted`. Without either, dropping the handle means that the transport
    /// failed.
    pub(crate) fn report(&self, rejected: impl FnOnce(Option<u8>), distrusted: impl FnOnce()) {
        match self.kind {
            ErrorKind::Handshake => rejected(self.alert.and_then(Alert::received)),
            // A full handshake: the session that was offered stays, if it can be used again.
            ErrorKind::Certificate => distrusted(),
            _ => {}
        }
    }

    /// The error when the TLS library rejected the server's certificate; `why` is its own reason.
    pub(crate) fn of_certificate(
        host: &str,
        certificate_error: CertificateError,
        why: impl fmt::Display,
    ) -> Self {
        let other = why.to_string();
        let (why, advice) = match certificate_error {
            CertificateError::UnknownIssuer => (
                "its issuer is not trusted",
                "add the root certificate of its issuer to the trusted roots",
            ),
            CertificateError::NotValidForName => ("it is for other names", "check the host name"),
            CertificateError::Expired => (
                "it has expired",
                "check the clock of this machine and the server's certificate",
            ),
            CertificateError::NotValidYet => (
                "it is not valid yet",
                "check the clock of this machine and the server's certificate",
            ),
            CertificateError::Other => (other.as_str(), "check the server's certificates"),
        };
        let message = format!("{host}: the server's certificate is rejected ({why}): {advice}");
        Self {
            certificate: Some(certificate_error),
            ..Self::new(ErrorKind::Certificate, message)
        }
    }

    /// The error when the transport failed during the handshake with `host`.
    pub(crate) fn of_transport(host: &str, evidence: TlsEvidence, error: io::Error) -> Self {
        let (kind, what) = match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => (
                ErrorKind::Timeout,
                "no answer in time during the handshake: check the server or raise the timeout"
                    .to_owned(),
            ),
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => (
                ErrorKind::Closed,
                format!(
                    "the server closed the connection during the handshake{}",
                    match evidence {
                        TlsEvidence::None => ": check that it speaks TLS on this port",
                        TlsEvidence::Records =>
                            ", after it had answered in TLS: see its log for the reason",
                        TlsEvidence::Session =>
                            ", although this client had a session from it: try again, which makes a \
                             full handshake; if that fails too, see the server's log",
                    }
                ),
            ),
            _ => (
                ErrorKind::Io,
                format!("the connection failed during the handshake: {error}"),
            ),
        };
        Self::new(kind, format_args!("{host}: {what}")).caused_by(error)
    }

    /// The error when `host` sent bytes that the TLS library cannot read as TLS. Suggests a wrong
    /// port, unless TLS records arrived before them.
    pub(crate) fn of_unreadable_answer(
        host: &str,
        evidence: TlsEvidence,
        why: impl fmt::Display,
    ) -> Self {
        let message = if evidence == TlsEvidence::Records {
            format!("{host}: the handshake failed: {why}")
        } else {
            format!("{host}: the answer is not TLS: check the port")
        };
        Self::new(ErrorKind::Handshake, message)
    }

    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The fatal alert that ended the handshake (RFC 8446, section 6); `None` if there was none, or it
    /// is not known.
    ///
    /// That of the server is always known. Of those that this client sends, known are with the preview
    /// of the next rustls all, with rustls 0.23 those for certificates and for messages that cannot be
    /// read, with OpenSSL those for a [`CertificateError`] other than `Other`.
    pub fn alert(&self) -> Option<Alert> {
        self.alert
    }

    /// Whether a session was offered in the handshake that failed.
    pub fn offered_session(&self) -> bool {
        self.offered_session
    }

    /// Whether the handshake was made twice, the second time without a session
    /// ([`retry_failed_resumption`](crate::generic::ConnectorBuilder::retry_failed_resumption)).
    pub fn retried(&self) -> bool {
        self.retried
    }

    /// Why the server's certificate was rejected, the same on every backend; `None` for any other
    /// error.
    pub fn certificate_error(&self) -> Option<CertificateError> {
        self.certificate
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<store_core::LimitsError> for Error {
    fn from(error: store_core::LimitsError) -> Self {
        Self::config(&error).caused_by(error)
    }
}
