//! Handshake errors of OpenSSL, with advice.

use std::io;

use ::openssl::error::ErrorStack;
use ::openssl::ssl::ErrorCode;
use ::openssl::x509::X509VerifyResult;

use crate::error::TlsEvidence;
use crate::{CertificateError, Error, ErrorKind};

fn certificate_error(verdict: X509VerifyResult) -> CertificateError {
    // X509_V_ERR_* of <openssl/x509_vfy.h>; the crate names two of them only.
    match verdict.as_raw() {
        2 | 18..=21 => CertificateError::UnknownIssuer, // unknown, self-signed or not in the chain
        9 => CertificateError::NotValidYet,
        10 => CertificateError::Expired,
        62 | 64 => CertificateError::NotValidForName, // or the IP address
        _ => CertificateError::Other,
    }
}

/// The alert that OpenSSL has sent for a certificate (`ssl_x509err2alert` in its sources); `None` for
/// reasons with several alerts.
fn alert_sent(error: CertificateError) -> Option<u8> {
    match error {
        CertificateError::UnknownIssuer => Some(48), // unknown_ca
        CertificateError::NotValidForName | CertificateError::NotValidYet => Some(42), // bad_certificate
        CertificateError::Expired => Some(45), // certificate_expired
        CertificateError::Other => None,
    }
}

/// The error when OpenSSL cannot set up a connection with `host`.
pub(super) fn setup_error(host: &str, error: ErrorStack) -> Error {
    let message = format!("{host}: OpenSSL cannot set up the connection: {error}");
    Error::new(ErrorKind::Handshake, message).caused_by(error)
}

/// The error of a handshake with `host`; `verdict` is the result of verifying the certificate.
pub(super) fn handshake_error(
    host: &str,
    evidence: TlsEvidence,
    verdict: X509VerifyResult,
    error: ::openssl::ssl::Error,
) -> Error {
    if verdict != X509VerifyResult::OK {
        let why = certificate_error(verdict);
        return Error::of_certificate(host, why, verdict.error_string()).with_sent(alert_sent(why));
    }
    let of_transport = |error| Error::of_transport(host, evidence, error);
    match error.code() {
        ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => {
            return of_transport(io::ErrorKind::TimedOut.into());
        }
        // The peer closed the transport without close_notify. OpenSSL 3 reports it in both ways.
        ErrorCode::ZERO_RETURN => return of_transport(io::ErrorKind::UnexpectedEof.into()),
        _ if is_unexpected_eof(&error) => {
            return of_transport(io::ErrorKind::UnexpectedEof.into());
        }
        _ => {}
    }
    match error.into_io_error() {
        Ok(error) => of_transport(error),
        Err(error) => {
            let reasons = error.ssl_error().map_or_else(|| error.to_string(), reasons);
            let alert = fatal_alert(&error);
            let shown = if let Some(alert) = alert {
                Error::of_alert(host, alert)
            } else if reasons.contains("wrong version number") {
                Error::of_unreadable_answer(host, evidence, reasons)
            } else {
                let message = format!("{host}: the handshake failed: {reasons}");
                Error::new(ErrorKind::Handshake, message)
            };
            shown.caused_by(error)
        }
    }
}

/// Whether the peer closed the transport without `close_notify`.
pub(super) fn is_unexpected_eof(error: &::openssl::ssl::Error) -> bool {
    // SSL_R_UNEXPECTED_EOF_WHILE_READING
    const UNEXPECTED_EOF: i32 = 294;
    let named = error.ssl_error().is_some_and(|stack| {
        stack
            .errors()
            .iter()
            .any(|one| one.reason_code() == UNEXPECTED_EOF)
    });
    named || (error.code() == ErrorCode::SYSCALL && error.io_error().is_none())
}

/// The number of the fatal alert that the peer has sent, if any.
pub(super) fn fatal_alert(error: &::openssl::ssl::Error) -> Option<u8> {
    /// `SSL_AD_REASON_OFFSET`, to which the alert's number is added.
    const OFFSET: i32 = 1000;
    let mut errors = error.ssl_error()?.errors().iter();
    errors.find_map(|one| u8::try_from(one.reason_code().checked_sub(OFFSET)?).ok())
}

/// The reasons in OpenSSL's error stack, without file names and numbers.
pub(super) fn reasons(stack: &ErrorStack) -> String {
    let errors = stack.errors().iter();
    let reasons: Vec<&str> = errors.filter_map(::openssl::error::Error::reason).collect();
    if reasons.is_empty() {
        stack.to_string()
    } else {
        reasons.join(", ")
    }
}
