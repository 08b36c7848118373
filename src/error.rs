//! What can go wrong with a configuration or a connection; never with the store.

use std::fmt;
use std::io;

/// Why a connector could not be built or a connection not be made. Displays as one line.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    certificate: Option<CertificateError>,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The connector's settings: an unreadable file, bad limits, no protocol version. Or a URI that
    /// a connector for HTTP is not for.
    Config,
    /// The host is neither a DNS name nor an IP address.
    Name,
    /// The host's addresses could not be found.
    Resolve,
    /// No address of the host accepted a connection.
    Connect,
    /// The server's certificate is not valid, not trusted, or for another name.
    Certificate,
    /// The handshake failed for another reason.
    Handshake,
    /// The server closed the connection during the handshake.
    Closed,
    /// The server took longer than the timeout.
    Timeout,
    /// Reading or writing failed during the handshake.
    Io,
}

/// Why a server's certificate is refused: what an [`Error`] of [`ErrorKind::Certificate`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateError {
    /// It leads to no root that is trusted, or the server did not send what it leads there by.
    UnknownIssuer,
    /// It is for other names.
    NotValidForName,
    /// It, or one that it leads to, has run out.
    Expired,
    /// It, or one that it leads to, is not valid yet.
    NotValidYet,
    /// Something else, which the message says.
    Other,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        // One line, whatever a library put into its text.
        let message = message.to_string().replace(['\r', '\n'], " ");
        Self {
            kind,
            certificate: None,
            message,
            source: None,
        }
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

    /// A certificate that is refused, in the library's words, with what there is to do.
    pub(crate) fn of_certificate(
        host: &str,
        certificate_error: CertificateError,
        why: impl fmt::Display,
    ) -> Self {
        let advice = match certificate_error {
            CertificateError::UnknownIssuer => "give the root certificate that it leads to",
            CertificateError::NotValidForName => "check the host name",
            CertificateError::Expired | CertificateError::NotValidYet => {
                "check the clock here and the certificate there"
            }
            CertificateError::Other => "check the server's certificates",
        };
        let message = format!("{host}: the server's certificate is refused ({why}): {advice}");
        Self {
            certificate: Some(certificate_error),
            ..Self::new(ErrorKind::Certificate, message)
        }
    }

    /// A failure of the transport during the handshake with `host`.
    pub(crate) fn of_transport(host: &str, error: io::Error) -> Self {
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
                "the server closed the connection during the handshake: \
                 check that it speaks TLS on this port"
                    .into(),
            ),
            _ => (
                ErrorKind::Io,
                format!("the connection failed during the handshake: {error}"),
            ),
        };
        Self::new(kind, format_args!("{host}: {what}")).caused_by(error)
    }

    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Why the server's certificate is refused, the same on every backend; `None` if this is not
    /// about a certificate.
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
        Self::new(ErrorKind::Config, &error).caused_by(error)
    }
}
