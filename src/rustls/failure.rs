//! Handshake errors of rustls, with advice.

use std::io;

use ::rustls::{AlertDescription, CertificateError};

use crate::error::TlsEvidence;
use crate::{Error, ErrorKind};

/// The error of a handshake with `host`. rustls wraps its own errors in I/O errors.
pub(super) fn handshake_error(host: &str, evidence: TlsEvidence, error: io::Error) -> Error {
    match error.downcast::<::rustls::Error>() {
        Ok(error) => rustls_error(host, evidence, error),
        Err(error) => Error::of_transport(host, evidence, error),
    }
}

/// An error of rustls in a connection with `host`.
pub(super) fn rustls_error(host: &str, evidence: TlsEvidence, error: ::rustls::Error) -> Error {
    let shown = match &error {
        ::rustls::Error::InvalidCertificate(why) => {
            Error::of_certificate(host, certificate_error(why), why)
        }
        ::rustls::Error::InvalidMessage(_) => Error::of_unreadable_answer(host, evidence, &error),
        ::rustls::Error::AlertReceived(alert) => Error::of_alert(host, (*alert).into()),
        _ => {
            let message = format!("{host}: the handshake failed: {error}");
            Error::new(ErrorKind::Handshake, message)
        }
    };
    shown.with_sent(alert_sent(&error)).caused_by(error)
}

/// The alert that rustls has sent, as far as it says so.
fn alert_sent(error: &::rustls::Error) -> Option<u8> {
    let alert = match error {
        ::rustls::Error::InvalidCertificate(why) => AlertDescription::from(why.clone()),
        ::rustls::Error::InvalidMessage(why) => AlertDescription::from(*why),
        _ => return None,
    };
    Some(alert.into())
}

fn certificate_error(why: &CertificateError) -> crate::CertificateError {
    match why {
        // Another root of the same name makes a bad signature.
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
