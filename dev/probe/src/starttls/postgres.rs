//! `SSLRequest` of the PostgreSQL protocol.

use std::io::{Read, Write};

use super::conversation::{Conversation, MAX_LINE};
use super::error::StartTlsError;

/// The length, 8, and the request code in the place of a protocol version.
const SSL_REQUEST: &[u8; 8] = &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

pub(super) fn begin(
    server: &mut Conversation<'_, impl Read + Write + ?Sized>,
) -> Result<(), StartTlsError> {
    server.send("SSLRequest", SSL_REQUEST)?;
    match server.read_byte()? {
        b'S' => Ok(()),
        b'N' => Err(server.not_offered()),
        b'E' => Err(read_error(server)),
        other => Err(server.unexpected(&[other])),
    }
}

/// Reads an `ErrorResponse`, such as "too many clients". It is a rejection even if the rest of it
/// does not arrive.
fn read_error(server: &mut Conversation<'_, impl Read + Write + ?Sized>) -> StartTlsError {
    let mut length = [0; 4];
    for byte in &mut length {
        match server.read_byte() {
            Ok(received) => *byte = received,
            Err(_) => return server.rejected(b"E"),
        }
    }
    // The length includes itself.
    let length = u32::from_be_bytes(length).saturating_sub(4);
    let mut fields = Vec::new();
    for _ in 0..length.min(u32::try_from(MAX_LINE).unwrap_or(u32::MAX)) {
        match server.read_byte() {
            Ok(byte) => fields.push(byte),
            Err(_) => break,
        }
    }
    server.rejected(message(&fields).unwrap_or(b"E"))
}

/// The field M, the message, of an `ErrorResponse`. A field is a letter and a text that ends with a
/// zero.
fn message(fields: &[u8]) -> Option<&[u8]> {
    fields
        .split(|byte| *byte == 0)
        .find_map(|field| field.strip_prefix(b"M"))
        .filter(|message| !message.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::StartTls::Postgres;
    use super::super::scripted::{Step, assert_fails, assert_starts};
    use super::*;

    #[test]
    fn tls_starts() {
        assert_eq!(SSL_REQUEST[4..], 80_877_103_u32.to_be_bytes());
        assert_starts(Postgres, &[Step::Expect(SSL_REQUEST), Step::Send(b"S")]);
    }

    #[test]
    fn a_server_without_the_command_does_not_offer_tls() {
        let error = assert_fails(Postgres, &[Step::Expect(SSL_REQUEST), Step::Send(b"N")]);
        assert!(matches!(error, StartTlsError::NotOffered { .. }), "{error}");
    }

    #[test]
    fn a_rejection_is_quoted() {
        let fields = b"SFATAL\0C53300\0Msorry, too many\nclients already\0\0";
        let mut whole = vec![b'E'];
        whole.extend(u32::try_from(fields.len() + 4).unwrap().to_be_bytes());
        whole.extend(fields);
        let mut endless = b"E\xff\xff\xff\xff".to_vec();
        endless.resize(100_000, b'x');
        for (answer, expected) in [
            (&whole[..], "\"sorry, too many?clients already\""),
            (&whole[..20], "\"E\""),
            (b"E", "\"E\""),
            (b"E\0\0", "\"E\""),
            (b"E\0\0\0\0", "\"E\""),
            (b"E\0\0\0\x05\0", "\"E\""),
            (&endless, "\"E\""),
        ] {
            let steps = [Step::Expect(SSL_REQUEST), Step::Send(answer), Step::Close];
            let error = assert_fails(Postgres, &steps);
            assert!(matches!(error, StartTlsError::Rejected { .. }), "{error:?}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn another_protocol_is_unexpected() {
        for answer in [b"H", b"s", b"\0", b"\x15"] {
            let error = assert_fails(Postgres, &[Step::Expect(SSL_REQUEST), Step::Send(answer)]);
            assert!(matches!(error, StartTlsError::Unexpected { .. }), "{error}");
        }
    }
}
