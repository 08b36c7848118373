//! Bytes as records: the body of the fuzz target `records`.

use std::path::Path;
use std::time::Duration;

use store_core::{KeyRef, SecurityDomain, Timestamp};

use crate::{KeyRing, Record, Rejected, key_file};

/// Takes any bytes for a record, for what is in a sealed record, and for a key file.
///
/// # Panics
/// If what nobody sealed opens, if what is read is not what would be written, or if a changed
/// record opens.
pub fn records(data: &[u8]) {
    let Ok(ring) = KeyRing::new([1; 32], [(1, [2; 32])]) else {
        return;
    };
    let domain = SecurityDomain::from([9; 32]);
    let server = ring.server_id(KeyRef::new(&domain, "example.com"));
    let now = Timestamp::EPOCH;
    assert!(ring.open(data, &server, now).is_err(), "nobody sealed this");

    let expires = now.after(Duration::from_secs(60));
    let Ok(mut sealed) = ring.seal_plain(data, 7, expires, &server) else {
        return;
    };
    match ring.open(&sealed, &server, now) {
        Ok(record) => {
            assert_eq!(*record.encode(), data, "one encoding of a record");
            assert!(Record::decode(data, 7, expires) == Some(record));
        }
        Err(why) => assert_eq!(why, Rejected::Foreign),
    }

    // Which byte, and how it changes: as the data have it.
    let sum = data.iter().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
    });
    let (at, bit) = (sum % sealed.len(), sum / 7 % 8);
    sealed[at] ^= 1 << bit;
    assert!(ring.open(&sealed, &server, now).is_err(), "byte {at}");

    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(ring) = key_file::parse(text, Path::new("keys"))
    {
        let again = key_file::parse(&key_file::text_of(&ring), Path::new("keys"));
        assert!(again.is_ok(), "what is written is read");
    }
}
