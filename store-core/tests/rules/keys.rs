//! R1, R2: a session is offered under its own key only.

use std::net::IpAddr;

use store_core::{HostRef, KeyRef, Limits, SecurityDomain, SessionKey};

use crate::helpers::*;

/// R2.
#[test]
fn keys_that_differ_in_one_field_share_no_session() {
    let (one, other) = (SecurityDomain::from([1; 32]), {
        let mut digest = [1; 32];
        digest[31] = 2;
        SecurityDomain::from(digest)
    });
    let keys: Vec<SessionKey> = [
        KeyRef::new(&one, "a.example"),
        KeyRef::new(&other, "a.example"),
        KeyRef::new(&one, "b.example"),
        KeyRef::new(&one, "a.example").with_port(443),
        KeyRef::new(&one, "a.example").with_port(0),
        KeyRef::new(&one, "a.example").with_endpoint(b""),
        KeyRef::new(&one, "a.example").with_endpoint(b"1"),
        KeyRef::new(&one, "a.example1"),
        KeyRef::new(&one, "a.example")
            .with_port(443)
            .with_endpoint(b"1"),
        KeyRef::new(&one, "192.0.2.1"),
        KeyRef::new(&one, "::ffff:192.0.2.1"),
    ]
    .map(KeyRef::to_key)
    .into();
    // One shard with one server: only the comparison of keys can distinguish them.
    for stored in &keys {
        let store = small(1);
        put(&store, stored, entry(Reusable, 1), start()).expect("stored");
        for asked in &keys {
            let found = offered(&store, asked, start());
            assert_eq!(
                found.is_some(),
                std::ptr::eq(stored, asked),
                "{stored:?} {asked:?}"
            );
        }
    }
    // All in one store: none replaces another.
    let store = small(100);
    for (number, key) in (0..).zip(&keys) {
        put(&store, key, entry(Reusable, number), start()).expect("stored");
    }
    for (number, key) in (0..).zip(&keys) {
        assert_eq!(offered(&store, key, start()), Some(number), "{key:?}");
    }
}

/// R1: in a store of many shards, with borrowed and owned keys.
#[test]
fn spellings_of_one_server_share_sessions() {
    let domain = SecurityDomain::from([1; 32]);
    let address: IpAddr = "2001:db8::1".parse().expect("an address");
    let same = |one: KeyRef<'_>, other: KeyRef<'_>| {
        let store = store(Limits::default());
        let found = |key| store.offer(key, Want::Any, start(), |_| true).is_some();
        store
            .put(
                one.with_port(1),
                entry(Reusable, 1),
                store.generation(),
                start(),
            )
            .expect("stored");
        assert!(found(other.with_port(1)), "{one:?} {other:?}");
        assert!(
            store
                .offer(&other.with_port(1).to_key(), Want::Any, start(), |_| true)
                .is_some()
        );
        assert!(!found(other.with_port(2)));
    };
    let key = |host| KeyRef::new(&domain, host);
    same(key("example.com"), key("EXAMPLE.Com."));
    same(key("2001:db8::1"), key("[2001:DB8:0::1]"));
    same(
        key("2001:db8::1"),
        KeyRef::from_host(&domain, HostRef::Address(address)),
    );
    let long = "X".repeat(1_000);
    same(key(&long), key(&long.to_lowercase()));
}

/// R2: also names longer than DNS allows.
#[test]
fn long_names_are_told_apart() {
    let long = "x".repeat(300);
    let (one, other) = (key(&format!("{long}1")), key(&format!("{long}2")));
    let store = small(4);
    put(&store, &one, entry(Reusable, 1), start()).expect("stored");
    assert_eq!(offered(&store, &other, start()), None);
    assert_eq!(offered(&store, &one, start()), Some(1));
}

/// R2: SHA-256 over length-prefixed fields. The expected value was computed with Python.
#[test]
fn the_digest_of_a_domain_is_stable() {
    let domain = SecurityDomain::builder("golden")
        .field("roots", b"one")
        .list("alpn", ["h2", "http/1.1"])
        .finish();
    let hex = domain
        .as_bytes()
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    assert_eq!(
        hex,
        "3ee1ec245080d93f6f12daf707ff8fceebf491af470cba3026053fa2b9d56918"
    );
}

/// R2: fields do not run together, and their order and number matter.
#[test]
fn every_field_of_a_domain_matters() {
    let builder = SecurityDomain::builder;
    let domains = [
        builder("p").finish(),
        builder("q").finish(),
        builder("p").field("a", b"bc").finish(),
        builder("p").field("ab", b"c").finish(),
        builder("p").field("a", b"b").field("c", b"").finish(),
        builder("p").field("a", b"").field("b", b"").finish(),
        builder("p").field("b", b"").field("a", b"").finish(),
        builder("p").list("a", [""; 0]).finish(),
        builder("p").list("a", ["", ""]).finish(),
        builder("p").list("a", ["b", "c"]).finish(),
        builder("p").list("a", ["c", "b"]).finish(),
        builder("p").list("a", ["b"]).list("c", [""; 0]).finish(),
    ];
    for (index, one) in domains.iter().enumerate() {
        for other in &domains[..index] {
            assert_ne!(one, other);
        }
    }
}

/// R1: a key that is set is the same as a new one, whatever it was before.
#[test]
fn a_key_that_is_set_is_like_a_new_one() {
    let domains = [SecurityDomain::from([1; 32]), SecurityDomain::from([2; 32])];
    let hosts = [
        "a.example",
        "A.example.",
        "much-longer.example",
        "192.0.2.1",
        "::1",
        "",
    ];
    let all: Vec<_> = domains
        .iter()
        .flat_map(|domain| hosts.map(|host| KeyRef::new(domain, host)))
        .flat_map(|key| [key, key.with_port(1), key.with_endpoint(b"x")])
        .collect();
    for one in &all {
        for other in &all {
            let mut key = one.to_key();
            key.set(*other);
            assert_eq!(key, other.to_key());
            assert_eq!(key.as_key().encode(), other.encode());
        }
    }
}
