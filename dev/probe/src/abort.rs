//! A server that ends the connection right after the client's handshake.
//!
//! In TLS 1.3 the client finishes first. If the server rejects its certificate, or the lack of one,
//! the alert arrives where tickets would.

use std::error::Error;
use std::io::{self, ErrorKind};

/// How a server ended a connection right after the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abort {
    /// By an alert of this number.
    Alert(u8),
    /// By closing the TCP connection abruptly.
    Reset,
    /// By data that TLS does not allow.
    InvalidData,
}

impl Abort {
    /// Classifies an error of reading; `None` if the server merely closed the connection.
    pub(crate) fn from_error(error: &io::Error) -> Option<Self> {
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
            _ => Some(Self::InvalidData),
        }
    }
}

/// The number of the alert that a library's error reports.
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
        .find_map(|error| alert_of_reason(error.reason_code()))
}

/// OpenSSL's reason code of an alert is its number plus `SSL_AD_REASON_OFFSET`.
fn alert_of_reason(reason: i32) -> Option<u8> {
    const SSL_AD_REASON_OFFSET: i32 = 1_000;
    u8::try_from(reason.checked_sub(SSL_AD_REASON_OFFSET)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_connection_is_no_abort() {
        assert_eq!(Abort::from_error(&ErrorKind::UnexpectedEof.into()), None);
        assert_eq!(
            Abort::from_error(&ErrorKind::ConnectionReset.into()),
            Some(Abort::Reset)
        );
    }

    #[test]
    fn alerts_have_numbers() {
        let rustls = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let error = io::Error::new(ErrorKind::InvalidData, rustls);
        assert_eq!(Abort::from_error(&error), Some(Abort::Alert(116)));
        assert_eq!(alert_of_reason(1_116), Some(116));
        assert_eq!(alert_of_reason(294), None);
    }
}
