//! Handshake errors of the next rustls, with advice. Corresponds to `rustls/failure.rs`.

use std::io;

use rustls_next::error::{AlertDescription, CertificateError};

use crate::error::TlsEvidence;
use crate::{Error, ErrorKind};

/// The error of a handshake with `host`, where an error of rustls is wrapped in an I/O error.
pub(super) fn handshake_error(host: &str, evidence: TlsEvidence, error: io::Error) -> Error {
    match error.downcast::<rustls_next::Error>() {
        Ok(error) => rustls_error(host, evidence, error),
        Err(error) => Error::of_transport(host, evidence, error),
    }
}

/// An error of rustls in a connection with `host`.
pub(super) fn rustls_error(host: &str, evidence: TlsEvidence, error: rustls_next::Error) -> Error {
    let shown = match &error {
        rustls_next::Error::InvalidCertificate(why) => {
            Error::of_certificate(host, certificate_error(why), why)
        }
        rustls_next::Error::InvalidMessage(_) => {
            Error::of_unreadable_answer(host, evidence, &error)
        }
        rustls_next::Error::AlertReceived(alert) => Error::of_alert(host, (*alert).into()),
        _ => {
            let message = format!("{host}: the handshake failed: {error}");
            Error::new(ErrorKind::Handshake, message)
        }
    };
    let sent = AlertDescription::try_from(&error).ok();
    shown.with_sent(sent.map(Into::into)).caused_by(error)
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
