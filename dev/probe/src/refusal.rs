//! A server that has had the handshake, in the client's eyes, and ends the connection all the same.
//!
//! In TLS 1.3 the client is done first. What the server thinks of its certificate, or of there
//! being none, comes as an alert where tickets would come.

use std::error::Error;
use std::io::{self, ErrorKind};

/// How a server ended a connection right after the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// By an alert of this number.
    Alert(u8),
    /// Without a word.
    Reset,
    /// By something that TLS does not allow.
    Nonsense,
}

impl Refusal {
    /// What an error of reading says; nothing if the server merely closed.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        let mut cause = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
        while let Some(error) = cause {
            if let Some(number) = alert(error) {
                return Some(Self::Alert(number));
            }
            cause = error.source();
        }
        match error.kind() {
            ErrorKind::UnexpectedEof => None,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                Some(Self::Reset)
            }
            _ => Some(Self::Nonsense),
        }
    }
}

/// The number of the alert that a library's error is about.
fn alert(error: &(dyn Error + 'static)) -> Option<u8> {
    if let Some(rustls::Error::AlertReceived(alert)) = error.downcast_ref() {
        return Some((*alert).into());
    }
    if let Some(rustls_next::Error::AlertReceived(alert)) = error.downcast_ref() {
        return Some(alert.0);
    }
    let stack = error.downcast_ref::<openssl::ssl::Error>()?.ssl_error()?;
    stack
        .errors()
        .iter()
        .find_map(|one| of_reason(one.reason_code()))
}

/// OpenSSL has a reason for each alert: its number and a thousand.
fn of_reason(code: i32) -> Option<u8> {
    const FIRST: i32 = 1_000;
    u8::try_from(code.checked_sub(FIRST)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_closes_has_refused_nothing() {
        assert_eq!(Refusal::of(&ErrorKind::UnexpectedEof.into()), None);
        assert_eq!(
            Refusal::of(&ErrorKind::ConnectionReset.into()),
            Some(Refusal::Reset)
        );
    }

    #[test]
    fn alerts_have_numbers() {
        let rustls = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let error = io::Error::new(ErrorKind::InvalidData, rustls);
        assert_eq!(Refusal::of(&error), Some(Refusal::Alert(116)));
        assert_eq!(of_reason(1_116), Some(116));
        assert_eq!(of_reason(294), None);
    }
}
