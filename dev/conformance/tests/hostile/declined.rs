//! Servers that decline: always, after each rotation of their keys, or in another version or with
//! another cipher. Every handshake succeeds.

use std::sync::Arc;

use lab::faults::{CipherSuite, FaultyTicketer};
use lab::server::{Library, Protocol, Server, ServerResumption};
use tls_resume::{Backend, Resumption};

use crate::on_each;
use crate::stage::{Stage, server, server_with};

on_each!(
    what_is_always_declined_harms_nothing,
    keys_of_one_connection_harm_nothing,
    no_session_id_means_no_session,
    another_version_each_time_harms_nothing,
    another_cipher_each_time_harms_nothing,
);

/// Five offers, five times declined, five times replaced by what came instead.
fn what_is_always_declined_harms_nothing<B: Backend>() {
    for protocol in Protocol::ALL {
        let declining = server_with(protocol, FaultyTicketer::new().declining());
        let stage = Stage::<B>::new();
        stage.visit(&declining).is(Resumption::Full);
        let stats = stage.counted(|| {
            for _ in 0..5 {
                stage.visit(&declining).is(Resumption::Declined);
            }
        });
        assert_eq!((stats.offered, stats.declined), (5, 5), "{protocol}");
        assert_eq!((stats.resumed, stats.failed), (0, 0), "{protocol}");
        let (taken, replaced) = match protocol {
            Protocol::Tls13 => (5, 0),
            Protocol::Tls12 => (0, 5),
        };
        assert_eq!((stats.taken, stats.replaced), (taken, replaced));
        stage.is_unharmed();
        assert_eq!(stage.held(), 1, "{protocol}");
    }
}

/// New ticket keys, or an empty cache and so a new session id, at each connection.
fn keys_of_one_connection_harm_nothing<B: Backend>() {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            for resumption in [ServerResumption::Tickets, ServerResumption::SessionIds] {
                let rotating = server(library, protocol, |settings| {
                    settings.resumption = resumption;
                    settings.tickets = 1;
                });
                let what = format!("{library} {protocol} {resumption:?}");
                let stage = Stage::<B>::new();
                stage.visit(&rotating).is(Resumption::Full);
                let stats = stage.counted(|| {
                    for _ in 0..4 {
                        rotating.rotate_keys();
                        stage.visit(&rotating).is(Resumption::Declined);
                    }
                });
                assert_eq!((stats.declined, stats.failed), (4, 0), "{what}");
                assert_eq!(stats.stored, 4, "{what}");
                stage.is_unharmed();
                // Once the keys stay, what came last is good.
                stage.visit(&rotating).is(Resumption::Resumed);
                assert_eq!(stage.held(), 1, "{what}");
            }
        }
    }
}

/// An empty session id and no ticket: there is nothing to store.
fn no_session_id_means_no_session<B: Backend>() {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let off = server(library, protocol, |settings| {
                settings.resumption = ServerResumption::Off;
            });
            let stage = Stage::<B>::new();
            let stats = stage.counted(|| {
                for _ in 0..3 {
                    let visit = stage.visit(&off);
                    visit.is(Resumption::Full);
                    assert_eq!(visit.tickets, 0, "{library} {protocol}");
                }
            });
            assert_eq!((stats.stored, stats.missed), (0, 3), "{library} {protocol}");
            stage.is_unharmed();
        }
    }
}

/// TLS 1.2, 1.3, 1.2 and so on, on rustls with the same ticket keys. Once the server has made up
/// its mind, it resumes.
fn another_version_each_time_harms_nothing<B: Backend>() {
    for library in Library::ALL {
        let keys = Arc::new(FaultyTicketer::new());
        let of = |protocol| {
            server(library, protocol, |settings| {
                settings.rustls.ticketer = Some(keys.clone());
            })
        };
        let versions = Protocol::ALL.map(of);
        let stage = Stage::<B>::new();
        let stats = stage.counted(|| {
            for _ in 0..4 {
                let [old, new] = &versions;
                assert_eq!(stage.visit(old).protocol, Protocol::Tls12);
                assert_eq!(stage.visit(new).protocol, Protocol::Tls13);
            }
        });
        assert_eq!(stats.failed, 0, "{library}");
        assert!(stats.declined >= 1, "{library}: {stats:?}");
        stage.is_unharmed();
        for server in &versions {
            settles(&stage, server);
        }
    }
}

/// No more handshakes are declined than sessions are kept.
fn settles<B: Backend>(stage: &Stage<B>, server: &Server) {
    let resumes = |_| stage.visit(server).resumption == Resumption::Resumed;
    assert!((0..=64).any(resumes), "resumed in the end");
}

/// A server that takes AES-128 now and AES-256 then, with the same ticket keys: what it cannot
/// resume with the other cipher it declines.
fn another_cipher_each_time_harms_nothing<B: Backend>() {
    for protocol in Protocol::ALL {
        let keys = Arc::new(FaultyTicketer::new());
        let of = |ciphers: [CipherSuite; 2]| {
            server(Library::Rustls, protocol, |settings| {
                settings.tickets = 1;
                settings.rustls.ticketer = Some(keys.clone());
                settings.rustls.ciphers = Some(ciphers.to_vec());
            })
        };
        let short = of([
            CipherSuite::TLS13_AES_128_GCM_SHA256,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ]);
        let long = of([
            CipherSuite::TLS13_AES_256_GCM_SHA384,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ]);
        let stage = Stage::<B>::new();
        stage.visit(&short).is(Resumption::Full);
        let stats = stage.counted(|| {
            for _ in 0..3 {
                stage.visit(&long).is(Resumption::Declined);
                stage.visit(&short).is(Resumption::Declined);
            }
        });
        assert_eq!((stats.declined, stats.failed), (6, 0), "{protocol}");
        stage.is_unharmed();
        stage.visit(&short).is(Resumption::Resumed);
    }
}
