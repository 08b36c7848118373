//! What OpenSSL says went wrong, and what there is to do.

use std::io;

use ::openssl::error::ErrorStack;
use ::openssl::ssl::ErrorCode;
use ::openssl::x509::X509VerifyResult;

use crate::{CertificateError, Error, ErrorKind};

fn certificate_error(verdict: X509VerifyResult) -> CertificateError {
    // Of <openssl/x509_vfy.h>; the crate has names for two of them only.
    match verdict.as_raw() {
        2 | 18..=21 => CertificateError::UnknownIssuer, // unknown, self-signed or not in the chain
        9 => CertificateError::NotValidYet,
        10 => CertificateError::Expired,
        62 | 64 => CertificateError::NotValidForName, // or the IP address
        _ => CertificateError::Other,
    }
}

/// OpenSSL could not begin a handshake with `host`.
pub(super) fn of_setup(host: &str, error: ErrorStack) -> Error {
    let message = format!("{host}: OpenSSL cannot set up the connection: {error}");
    Error::new(ErrorKind::Handshake, message).caused_by(error)
}

/// Why a handshake with `host` failed that came to this verdict on the certificate.
pub(super) fn of_failed(
    host: &str,
    verdict: X509VerifyResult,
    error: ::openssl::ssl::Error,
) -> Error {
    if verdict != X509VerifyResult::OK {
        return Error::of_certificate(host, certificate_error(verdict), verdict.error_string());
    }
    match error.code() {
        ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => {
            return Error::of_transport(host, io::ErrorKind::TimedOut.into());
        }
        // The peer is gone without a word: OpenSSL 3 has both ways to say so.
        ErrorCode::ZERO_RETURN => {
            return Error::of_transport(host, io::ErrorKind::UnexpectedEof.into());
        }
        _ => {}
    }
    if is_unexpected_eof(&error) {
        return Error::of_transport(host, io::ErrorKind::UnexpectedEof.into());
    }
    match error.into_io_error() {
        Ok(error) => Error::of_transport(host, error),
        Err(error) => {
            let message = format!("{host}: the handshake failed: {}", explain(&error));
            Error::new(ErrorKind::Handshake, message).caused_by(error)
        }
    }
}

/// Whether the peer is gone without a farewell.
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

fn explain(error: &::openssl::ssl::Error) -> String {
    match error.ssl_error().map(reasons) {
        Some(reasons) if reasons.contains("wrong version number") => {
            "the answer is not TLS (wrong version number): check the port".into()
        }
        Some(reasons) => reasons,
        None => error.to_string(),
    }
}

/// What OpenSSL says, without its file names and numbers.
pub(super) fn reasons(stack: &ErrorStack) -> String {
    let errors = stack.errors().iter();
    let reasons: Vec<&str> = errors.filter_map(::openssl::error::Error::reason).collect();
    if reasons.is_empty() {
        stack.to_string()
    } else {
        reasons.join(", ")
    }
}
