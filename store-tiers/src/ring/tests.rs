use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;
use store_core::{AddressId, SecurityDomain, Usage};

use super::*;

const NOW: u64 = 1_700_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(Duration::from_secs(seconds))
}

fn ring() -> KeyRing {
    KeyRing::new([1; 32], [(2, [2; 32]), (1, [3; 32])]).unwrap()
}

fn server(ring: &KeyRing, name: &str) -> ServerId {
    ring.server_id(KeyRef::new(&SecurityDomain::from([9; 32]), name))
}

fn record() -> Record {
    Record {
        key: KeyRef::new(&SecurityDomain::from([9; 32]), "example.com").to_key(),
        format: 7,
        usage: Usage::SingleUse,
        established: at(NOW - 10),
        expires: at(NOW + 100),
        facts: b"verified for example.com".to_vec(),
        session: b"a secret session that nobody may see".to_vec().into(),
        address: None,
        application_data: None,
    }
}

#[test]
fn a_sealed_record_opens() {
    let ring = ring();
    let id = server(&ring, "example.com");
    let sealed = ring.seal(&record(), &id).unwrap();
    assert_eq!(ring.open(&sealed, &id, at(NOW)), Ok(record()));
}

/// R23, R25: a record with any bit changed, truncated, or with trailing bytes does not open.
#[test]
fn no_changed_record_opens() {
    let ring = ring();
    let id = server(&ring, "example.com");
    let sealed = ring.seal(&record(), &id).unwrap();
    for index in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[index] ^= 1 << bit;
            assert!(
                ring.open(&changed, &id, at(NOW)).is_err(),
                "byte {index} bit {bit}"
            );
        }
        assert!(
            ring.open(&sealed[..index], &id, at(NOW)).is_err(),
            "cut at {index}"
        );
    }
    let longer: Vec<u8> = sealed.iter().copied().chain([0]).collect();
    assert!(ring.open(&longer, &id, at(NOW)).is_err());
}

/// R25: a record is bound to its server.
#[test]
fn no_record_opens_for_another_server() {
    let ring = ring();
    let sealed = ring.seal(&record(), &server(&ring, "example.com")).unwrap();
    let other = server(&ring, "example.org");
    assert_eq!(ring.open(&sealed, &other, at(NOW)), Err(Rejected::Tampered));
}

#[test]
fn no_record_opens_after_its_expiry() {
    let ring = ring();
    let id = server(&ring, "example.com");
    let sealed = ring.seal(&record(), &id).unwrap();
    assert!(ring.open(&sealed, &id, at(NOW + 99)).is_ok());
    assert_eq!(
        ring.open(&sealed, &id, at(NOW + 100)),
        Err(Rejected::Expired)
    );
}

/// Every machine gets the new key, then it seals while the old key still opens, then the old key is
/// removed.
#[test]
fn keys_rotate_without_loss() {
    let old = KeyRing::generate().unwrap();
    let id = server(&old, "example.com");
    let before = old.seal(&record(), &id).unwrap();

    let first = old.with_new_key().unwrap();
    assert!(
        first
            .key_ids()
            .eq(old.key_ids().chain(first.key_ids().skip(1)))
    );
    assert_eq!(server(&first, "example.com"), id, "names stay");
    assert_eq!(first.tag(), old.tag());
    let between = first.seal(&record(), &id).unwrap();
    assert!(old.open(&between, &id, at(NOW)).is_ok());

    let both = first.clone().with_last_key_first();
    assert!(both.open(&before, &id, at(NOW)).is_ok());
    let after = both.seal(&record(), &id).unwrap();
    assert!(first.open(&after, &id, at(NOW)).is_ok());
    assert_eq!(old.open(&after, &id, at(NOW)), Err(Rejected::UnknownKey));

    let newest = both.keys()[0].clone();
    let new = KeyRing::from_parts(Zeroizing::new(*old.names()), vec![newest]).unwrap();
    assert!(new.open(&after, &id, at(NOW)).is_ok());
    assert_eq!(new.open(&before, &id, at(NOW)), Err(Rejected::UnknownKey));
}

/// R25: neither the session, nor the facts, nor the name, nor a key is in the clear.
#[test]
fn a_sealed_record_shows_no_secret() {
    let ring = ring();
    let id = server(&ring, "example.com");
    let sealed = ring.seal(&record(), &id).unwrap();
    let stored = [sealed.as_slice(), id.as_bytes()].concat();
    for secret in [
        &b"secret session"[..],
        b"verified",
        b"example",
        &[2; 8],
        &[3; 8],
        &[1; 8],
    ] {
        let found = stored.windows(secret.len()).any(|window| window == secret);
        assert!(!found, "{secret:?}");
    }
}

#[test]
fn nonces_do_not_repeat() {
    let ring = ring();
    let id = server(&ring, "example.com");
    let nonce = |_| {
        Header::parse(&ring.seal(&record(), &id).unwrap())
            .unwrap()
            .nonce
    };
    assert_eq!((0..1_000).map(nonce).collect::<HashSet<_>>().len(), 1_000);
}

/// Other machines read this layout: it changes with its version only.
#[test]
fn the_layout_is_stable() {
    let ring = ring();
    let id = server(&ring, "example.com");
    let sealed = ring.seal_with(&record(), &id, [5; NONCE]).unwrap();
    assert_eq!(
        sealed[..HEADER - NONCE],
        *b"TLR\x03\0\0\0\x02\0\0\0\x07\0\0\x01\x8b\xcf\xe6\xee\xa0"
    );
    assert_eq!(sealed.len(), HEADER + record().encode().len() + TAG);
}

#[test]
fn invalid_rings_are_errors() {
    assert_eq!(KeyRing::new([0; 32], []).unwrap_err(), KeyError::NoKey);
    let twice = KeyRing::new([0; 32], [(1, [1; 32]), (1, [2; 32])]);
    assert_eq!(twice.unwrap_err(), KeyError::SameId(1));
}

/// R24.
#[test]
fn debug_shows_no_key_or_session() {
    let ring = KeyRing::new([0xab; 32], [(1, [0xcd; 32])]).unwrap();
    let shown = format!("{ring:?} {:?} {:?}", record(), server(&ring, "a"));
    for form in ["abab", "cdcd", "171", "205", "secret"] {
        assert!(!shown.contains(form), "{form} in {shown}");
    }
}

proptest! {
    #[test]
    fn any_record_opens_unchanged(
        (format, single_use, established, lives) in any::<(u32, bool, u32, u32)>(),
        (facts, session, beside) in any::<(Vec<u8>, Vec<u8>, Vec<u8>)>(),
    ) {
        let ring = ring();
        let id = server(&ring, "example.com");
        let record = Record {
            key: record().key,
            format,
            usage: if single_use { Usage::SingleUse } else { Usage::Reusable },
            established: at(established.into()),
            expires: at(NOW + 1 + u64::from(lives)),
            facts,
            session: session.into(),
            address: AddressId::new(format),
            application_data: beside[..].try_into().ok(),
        };
        let sealed = ring.seal(&record, &id).unwrap();
        prop_assert_eq!(ring.open(&sealed, &id, at(NOW)), Ok(record));
    }

    #[test]
    fn any_other_bytes_are_rejected(bytes in any::<Vec<u8>>()) {
        let ring = ring();
        let id = server(&ring, "example.com");
        prop_assert!(ring.open(&bytes, &id, at(NOW)).is_err());
        let with_header = [&b"TLR\x03\0\0\0\x02"[..], &bytes].concat();
        prop_assert!(ring.open(&with_header, &id, at(NOW)).is_err());
    }
}
