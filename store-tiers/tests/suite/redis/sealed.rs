//! R25: Redis's data shows neither sessions nor names.

use std::time::Duration;

use store_core::{KeyRef, SecurityDomain, Usage};
use store_tiers::{KeyRing, Record, Sealed, Tier as _};

use super::server::Server;
use super::{now, tier};

#[test]
fn a_dump_shows_neither_sessions_nor_names() {
    let (name, secret) = ("secret-server.example", b"the resumption secret itself");
    let server = Server::start();
    let mut tier = tier(&server);
    let ring = KeyRing::generate().unwrap();
    let domain = SecurityDomain::builder("test").finish();
    let key = KeyRef::new(&domain, name).with_port(443);
    let id = ring.server_id(key);
    for usage in [Usage::SingleUse, Usage::Reusable] {
        let record = Record {
            key: key.to_key(),
            format: 1,
            usage,
            established: now(),
            expires: now().after(Duration::from_secs(600)),
            facts: name.as_bytes().to_vec(),
            session: secret.to_vec().into(),
            address: None,
            application_data: None,
        };
        let sealed = Sealed {
            server: id,
            usage,
            expires: record.expires,
            bytes: ring.seal(&record, &id).unwrap(),
        };
        tier.put(&[sealed], now()).unwrap();
    }

    let dump = server.dump().unwrap();
    let keys = server.keys().concat().into_bytes();
    let shows = |data: &[u8], text: &[u8]| data.windows(text.len()).any(|window| window == text);
    // The control: the dump holds our keys and records, uncompressed.
    assert!(shows(&dump, b"tls-resume:1:{") && shows(&dump, b"TLR\x03"));
    for data in [dump, keys] {
        assert!(!shows(&data, name.as_bytes()));
        assert!(!shows(&data, secret));
        assert!(!shows(&data, &secret[..12]));
    }

    let taken = tier.take(&id, 1, now()).unwrap();
    for sealed in [&taken.single_use[0], taken.reusable.as_ref().unwrap()] {
        assert_eq!(*ring.open(sealed, &id, now()).unwrap().session, secret);
    }
}
