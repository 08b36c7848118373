//! The request for TLS of the Postgres protocol.

use std::io::{Read, Write};

use super::conversation::{Conversation, LINE};
use super::error::StartTlsError;

/// Its length, 8, and the number that no version of the protocol has.
const SSL_REQUEST: &[u8; 8] = &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

pub(super) fn begin(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<(), StartTlsError> {
    server.ask("SSLRequest", SSL_REQUEST)?;
    match server.byte()? {
        b'S' => Ok(()),
        b'N' => Err(server.not_offered()),
        b'E' => Err(refusal(server)),
        other => Err(server.unexpected(&[other])),
    }
}

/// Reads why: a server that has too many clients already, for one, does not come to the question of
/// TLS. That it is a refusal is known, even where its words do not come.
fn refusal(server: &mut Conversation<'_, impl Read + Write + ?Sized>) -> StartTlsError {
    let mut length = [0; 4];
    for byte in &mut length {
        match server.byte() {
            Ok(read) => *byte = read,
            Err(_) => return server.refused(b"E"),
        }
    }
    // The length counts itself.
    let length = u32::from_be_bytes(length).saturating_sub(4);
    let mut fields = Vec::new();
    for _ in 0..length.min(u32::try_from(LINE).unwrap_or(u32::MAX)) {
        match server.byte() {
            Ok(byte) => fields.push(byte),
            Err(_) => break,
        }
    }
    server.refused(message(&fields).unwrap_or(b"E"))
}

/// Of the fields, each a letter and a text that ends with a zero, the message for people.
fn message(fields: &[u8]) -> Option<&[u8]> {
    fields
        .split(|byte| *byte == 0)
        .find_map(|field| field.strip_prefix(b"M"))
        .filter(|message| !message.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::StartTls::Postgres;
    use super::super::scripted::{Play, begins, fails};
    use super::*;

    #[test]
    fn tls_begins() {
        assert_eq!(SSL_REQUEST[4..], 80_877_103_u32.to_be_bytes());
        begins(Postgres, &[Play::Hear(SSL_REQUEST), Play::Say(b"S")]);
    }

    #[test]
    fn not_offered() {
        let error = fails(Postgres, &[Play::Hear(SSL_REQUEST), Play::Say(b"N")]);
        assert!(matches!(error, StartTlsError::NotOffered { .. }), "{error}");
    }

    #[test]
    fn refused() {
        let fields = b"SFATAL\0C53300\0Msorry, too many\nclients already\0\0";
        let mut whole = vec![b'E'];
        whole.extend(u32::try_from(fields.len() + 4).unwrap().to_be_bytes());
        whole.extend(fields);
        let mut endless = b"E\xff\xff\xff\xff".to_vec();
        endless.resize(100_000, b'x');
        for (answer, says) in [
            (&whole[..], "\"sorry, too many?clients already\""),
            (&whole[..20], "\"E\""),
            (b"E", "\"E\""),
            (b"E\0\0", "\"E\""),
            (b"E\0\0\0\0", "\"E\""),
            (b"E\0\0\0\x05\0", "\"E\""),
            (&endless, "\"E\""),
        ] {
            let play = [Play::Hear(SSL_REQUEST), Play::Say(answer), Play::Close];
            let error = fails(Postgres, &play);
            assert!(matches!(error, StartTlsError::Refused { .. }), "{error:?}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn another_protocol() {
        for answer in [b"H", b"s", b"\0", b"\x15"] {
            let error = fails(Postgres, &[Play::Hear(SSL_REQUEST), Play::Say(answer)]);
            assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
        }
    }
}
