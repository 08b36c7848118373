//! What rustls says went wrong, and what there is to do.

use std::io;

use ::rustls::CertificateError;

use crate::{Error, ErrorKind};

/// What went wrong in a handshake: rustls puts its own error into one of I/O.
pub(super) fn of_handshake(host: &str, error: io::Error) -> Error {
    match error.downcast::<::rustls::Error>() {
        Ok(error) => of_rustls(host, error),
        Err(error) => Error::of_transport(host, error),
    }
}

/// What rustls says of a connection with `host`.
pub(super) fn of_rustls(host: &str, error: ::rustls::Error) -> Error {
    let (kind, message) = match &error {
        ::rustls::Error::InvalidCertificate(why) => {
            return Error::of_certificate(host, certificate_error(why), why).caused_by(error);
        }
        ::rustls::Error::InvalidMessage(_) => (
            ErrorKind::Handshake,
            format!("{host}: the answer is not TLS ({error}): check the port"),
        ),
        _ => (
            ErrorKind::Handshake,
            format!("{host}: the handshake failed: {error}"),
        ),
    };
    Error::new(kind, message).caused_by(error)
}

fn certificate_error(why: &CertificateError) -> crate::CertificateError {
    match why {
        // A root of the same name, but not the same.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            crate::CertificateError::UnknownIssuer
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            crate::CertificateError::NotValidForName
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            crate::CertificateError::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            crate::CertificateError::NotValidYet
        }
        _ => crate::CertificateError::Other,
    }
}
