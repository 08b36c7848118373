//! Keys by themselves.

use super::*;
use std::hash::BuildHasher;

fn same(one: KeyRef<'_>, other: KeyRef<'_>) -> bool {
    let hasher = std::hash::RandomState::new();
    assert_eq!(one.encode() == other.encode(), one == other);
    if one == other {
        assert_eq!(hasher.hash_one(one), hasher.hash_one(other));
        assert_eq!(hasher.hash_one(one), hasher.hash_one(other.to_key()));
        assert_eq!(one.to_key(), other.to_key());
    }
    one == other
}

#[test]
fn spellings_of_one_server_are_equal() {
    let domain = SecurityDomain::from([1; 32]);
    let key = |host| KeyRef::new(&domain, host);
    assert!(same(key("example.com"), key("EXAMPLE.com.")));
    assert!(same(key("2001:db8::1"), key("2001:0DB8:0:0:0:0:0:1")));
    assert!(same(key("2001:db8::1"), key("[2001:db8::1]")));
    assert!(!same(key("example.com"), key("example.org")));
    assert!(!same(key("192.0.2.1"), key("::ffff:192.0.2.1")));
    let long = "x".repeat(300);
    assert!(same(key(&long), key(&long.to_ascii_uppercase())));
}

/// R1: one dot makes a name absolute; with more dots it is another name.
#[test]
fn only_one_trailing_dot_is_insignificant() {
    let domain = SecurityDomain::from([1; 32]);
    let key = |host| KeyRef::new(&domain, host);
    assert!(same(key("a"), key("a.")));
    for other in ["a..", "a...", ".a", ""] {
        assert!(!same(key("a"), key(other)), "{other:?}");
        let again = KeyRef::from_host(&domain, key(other).host());
        assert!(same(key(other), again), "{other:?}");
    }
    assert!(!same(key("a.."), key("a...")));
}

#[test]
fn only_an_encoding_is_decoded() {
    let domain = SecurityDomain::from([3; 32]);
    let keys = [
        KeyRef::new(&domain, "Example.com."),
        KeyRef::new(&domain, "192.0.2.1").with_port(25),
        KeyRef::new(&domain, "2001:db8::1").with_endpoint(b"x"),
        KeyRef::new(&domain, "").with_port(443).with_endpoint(b""),
    ];
    for key in keys {
        let encoded = key.encode();
        assert_eq!(SessionKey::decode(&encoded), Some(key.to_key()));
        for len in 0..encoded.len() {
            assert_eq!(SessionKey::decode(&encoded[..len]), None);
        }
        for at in 32..encoded.len() {
            let mut changed = encoded.clone();
            changed[at] ^= 0x20;
            let decoded = SessionKey::decode(&changed);
            assert_ne!(decoded, Some(key.to_key()), "byte {at}");
        }
        let longer = [&encoded[..], &[0]].concat();
        assert_eq!(SessionKey::decode(&longer), None);
    }
}

/// R2: no field runs into the next.
#[test]
fn keys_that_differ_in_one_field_are_different() {
    let (one, other) = (SecurityDomain::from([1; 32]), SecurityDomain::from([2; 32]));
    let keys = [
        KeyRef::new(&one, "a"),
        KeyRef::new(&other, "a"),
        KeyRef::new(&one, "b"),
        KeyRef::new(&one, "a").with_port(443),
        KeyRef::new(&one, "a").with_port(25),
        KeyRef::new(&one, "a").with_endpoint(b""),
        KeyRef::new(&one, "a").with_endpoint(b"x"),
        KeyRef::new(&one, "ax"),
        KeyRef::new(&one, "a").with_port(443).with_endpoint(b"x"),
    ];
    for (i, one) in keys.iter().enumerate() {
        for other in &keys[..i] {
            assert!(!same(*one, *other), "{one:?} {other:?}");
        }
    }
}
