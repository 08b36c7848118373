//! What OpenSSL's encoding of a session says that the `openssl` crate has no function for.

use std::time::Duration;

/// The server's lifetime of a session: the context-specific field 9 of its encoding.
pub(crate) fn lifetime(der: &[u8]) -> Option<Duration> {
    let session = der_fields(der)?;
    let (_, value) = session.into_iter().find(|(tag, _)| *tag == 0xa9)?;
    let digits = value.get(2..)?;
    let seconds = digits
        .iter()
        .fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
    Some(Duration::from_secs(seconds))
}

/// The fields of a DER sequence, with their tags.
fn der_fields(der: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let (_, mut rest, _) = der_field(der)?;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let (tag, value, after) = der_field(rest)?;
        fields.push((tag, value));
        rest = after;
    }
    Some(fields)
}

fn der_field(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (len, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        (
            len.iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            rest,
        )
    };
    let (value, after) = rest.split_at_checked(len)?;
    Some((tag, value, after))
}
