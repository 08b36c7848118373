//! The fuzz target `records`.

use std::path::Path;
use std::time::Duration;

use store_core::{KeyRef, SecurityDomain, Timestamp};

use crate::{KeyRing, Record, Rejected, key_file};

/// Parses the bytes as a sealed record, as the plaintext of a record, and as a key file.
///
/// # Panics
/// If a record opens that was not sealed or was modified, or if a parsed input does not encode to
/// the same bytes.
pub fn records(data: &[u8]) {
    let Ok(ring) = KeyRing::new([1; 32], [(1, [2; 32])]) else {
        return;
    };
    let domain = SecurityDomain::from([9; 32]);
    let server = ring.server_id(KeyRef::new(&domain, "example.com"));
    let now = Timestamp::EPOCH;
    assert!(ring.open(data, &server, now).is_err(), "it was not sealed");

    let expires = now.after(Duration::from_secs(60));
    let Ok(mut sealed) = ring.seal_plain(data, 7, expires, &server) else {
        return;
    };
    match ring.open(&sealed, &server, now) {
        Ok(record) => {
            assert_eq!(*record.encode(), data, "the encoding of a record is unique");
            assert!(Record::decode(data, 7, expires) == Some(record));
        }
        Err(why) => assert_eq!(why, Rejected::Foreign),
    }

    // The data decide which bit to flip.
    let sum = data.iter().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
    });
    let (index, bit) = (sum % sealed.len(), sum / 7 % 8);
    sealed[index] ^= 1 << bit;
    assert!(ring.open(&sealed, &server, now).is_err(), "byte {index}");

    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(ring) = key_file::parse(text, Path::new("keys"))
    {
        let again = key_file::parse(&key_file::format(&ring), Path::new("keys"));
        assert!(again.is_ok(), "a written key file reads back");
    }
}
