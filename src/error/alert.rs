//! Fatal alerts.

use std::fmt;

/// A fatal alert that ended a handshake (RFC 8446, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alert {
    /// The server sent an alert with this number.
    Received(u8),
    /// This client sent an alert with this number.
    Sent(u8),
}

impl Alert {
    /// The alert's number, such as 40 for `handshake_failure`.
    pub fn number(self) -> u8 {
        let (Self::Received(number) | Self::Sent(number)) = self;
        number
    }

    /// The number, if the server sent the alert.
    pub fn received(self) -> Option<u8> {
        match self {
            Self::Received(number) => Some(number),
            Self::Sent(_) => None,
        }
    }

    /// The name in IANA's registry "TLS Alerts"; `None` for a number that has none.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.number() {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            21 => "decryption_failed",
            22 => "record_overflow",
            30 => "decompression_failure",
            40 => "handshake_failure",
            41 => "no_certificate",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            60 => "export_restriction",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            111 => "certificate_unobtainable",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            114 => "bad_certificate_hash_value",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            121 => "ech_required",
            _ => return None,
        })
    }
}

impl fmt::Display for Alert {
    /// The name and the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number();
        match self.name() {
            Some(name) => write!(f, "{name} ({number})"),
            None => write!(f, "alert {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_has_a_name_and_a_number() {
        let alert = Alert::Received(40);
        assert_eq!(alert.to_string(), "handshake_failure (40)");
        assert_eq!(
            (alert.received(), Alert::Sent(40).received()),
            (Some(40), None)
        );
        assert_eq!(Alert::Sent(255).to_string(), "alert 255");
    }
}
