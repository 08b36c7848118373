//! Servers that decline sessions: always, after a key rotation, or because of another version or
//! cipher. Every handshake succeeds.

use std::sync::Arc;

use lab::faults::{CipherSuite, FaultyTicketer};
use lab::server::{Library, Protocol, Server, ServerResumption};
use tls_resume::{Backend, Resumption};

use super::fixture::{Fixture, server, server_with};
use super::on_each_backend;

on_each_backend!(
    always_declining_harms_nothing,
    new_keys_for_each_connection_harm_nothing,
    without_session_id_nothing_is_stored,
    another_version_each_time_harms_nothing,
    another_cipher_each_time_harms_nothing,
);

/// Five sessions are declined, and each is replaced by the next.
fn always_declining_harms_nothing<B: Backend>() {
    for protocol in Protocol::ALL {
        let declining = server_with(protocol, FaultyTicketer::new().declining());
        let fixture = Fixture::<B>::new();
        fixture.visit(&declining).is(Resumption::Full);
        let stats = fixture.counted(|| {
            for _ in 0..5 {
                fixture.visit(&declining).is(Resumption::Declined);
            }
        });
        assert_eq!((stats.offered, stats.declined), (5, 5), "{protocol}");
        assert_eq!((stats.resumed, stats.failed), (0, 0), "{protocol}");
        let (taken, replaced) = match protocol {
            Protocol::Tls13 => (5, 0),
            Protocol::Tls12 => (0, 5),
        };
        assert_eq!((stats.taken, stats.replaced), (taken, replaced));
        fixture.assert_unharmed();
        assert_eq!(fixture.sessions_of_server(), 1, "{protocol}");
    }
}

/// New ticket keys, or an empty session cache, for each connection.
fn new_keys_for_each_connection_harm_nothing<B: Backend>() {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            for resumption in [ServerResumption::Tickets, ServerResumption::SessionIds] {
                let rotating = server(library, protocol, |settings| {
                    settings.resumption = resumption;
                    settings.tickets = 1;
                });
                let what = format!("{library} {protocol} {resumption:?}");
                let fixture = Fixture::<B>::new();
                fixture.visit(&rotating).is(Resumption::Full);
                let stats = fixture.counted(|| {
                    for _ in 0..4 {
                        rotating.rotate_keys();
                        fixture.visit(&rotating).is(Resumption::Declined);
                    }
                });
                assert_eq!((stats.declined, stats.failed), (4, 0), "{what}");
                assert_eq!(stats.stored, 4, "{what}");
                fixture.assert_unharmed();
                // With the same keys again, the newest session is resumed.
                fixture.visit(&rotating).is(Resumption::Resumed);
                assert_eq!(fixture.sessions_of_server(), 1, "{what}");
            }
        }
    }
}

/// An empty session id, and no ticket.
fn without_session_id_nothing_is_stored<B: Backend>() {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let off = server(library, protocol, |settings| {
                settings.resumption = ServerResumption::Off;
            });
            let fixture = Fixture::<B>::new();
            let stats = fixture.counted(|| {
                for _ in 0..3 {
                    let visit = fixture.visit(&off);
                    visit.is(Resumption::Full);
                    assert_eq!(visit.tickets, 0, "{library} {protocol}");
                }
            });
            assert_eq!((stats.stored, stats.missed), (0, 3), "{library} {protocol}");
            fixture.assert_unharmed();
        }
    }
}

/// TLS 1.2 and 1.3 by turns, on rustls with the same ticket keys. When the version stays the same,
/// sessions are resumed.
fn another_version_each_time_harms_nothing<B: Backend>() {
    for library in Library::ALL {
        let keys = Arc::new(FaultyTicketer::new());
        let server_of = |protocol| {
            server(library, protocol, |settings| {
                settings.rustls.ticketer = Some(keys.clone());
            })
        };
        let versions = Protocol::ALL.map(server_of);
        let fixture = Fixture::<B>::new();
        let stats = fixture.counted(|| {
            for _ in 0..4 {
                let [old, new] = &versions;
                assert_eq!(fixture.visit(old).protocol, Protocol::Tls12);
                assert_eq!(fixture.visit(new).protocol, Protocol::Tls13);
            }
        });
        assert_eq!(stats.failed, 0, "{library}");
        assert!(stats.declined >= 1, "{library}: {stats:?}");
        fixture.assert_unharmed();
        for server in &versions {
            assert_resumes_eventually(&fixture, server);
        }
    }
}

/// Asserts that at most as many handshakes are declined as sessions were stored.
fn assert_resumes_eventually<B: Backend>(fixture: &Fixture<B>, server: &Server) {
    let resumes = |_| fixture.visit(server).resumption == Resumption::Resumed;
    assert!((0..=64).any(resumes), "resumed eventually");
}

/// AES-128 and AES-256 by turns, with the same ticket keys: the server declines sessions of the
/// other cipher.
fn another_cipher_each_time_harms_nothing<B: Backend>() {
    for protocol in Protocol::ALL {
        let keys = Arc::new(FaultyTicketer::new());
        let server_of = |ciphers: [CipherSuite; 2]| {
            server(Library::Rustls, protocol, |settings| {
                settings.tickets = 1;
                settings.rustls.ticketer = Some(keys.clone());
                settings.rustls.ciphers = Some(ciphers.to_vec());
            })
        };
        let aes128 = server_of([
            CipherSuite::TLS13_AES_128_GCM_SHA256,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ]);
        let aes256 = server_of([
            CipherSuite::TLS13_AES_256_GCM_SHA384,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ]);
        let fixture = Fixture::<B>::new();
        fixture.visit(&aes128).is(Resumption::Full);
        let stats = fixture.counted(|| {
            for _ in 0..3 {
                fixture.visit(&aes256).is(Resumption::Declined);
                fixture.visit(&aes128).is(Resumption::Declined);
            }
        });
        assert_eq!((stats.declined, stats.failed), (6, 0), "{protocol}");
        fixture.assert_unharmed();
        fixture.visit(&aes128).is(Resumption::Resumed);
    }
}
