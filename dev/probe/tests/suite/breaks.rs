//! Servers that fail exactly when a session is offered, and servers that do not.

use std::io;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use lab::faults::FaultyTicketer;
use lab::server::{Library, Protocol};
use lab::tcp::{Behaviour, TcpServer};
use probe::{BackendChoice, Code, Failure, Report};

use crate::front::{Front, Greeting};
use crate::support::{self, Lab, assert_code};

/// Asserts the verdict, and that exactly the connections that offered a session failed.
fn assert_breaks(reports: &[Report], failure: Failure, cause: &str) {
    assert_code(reports, Code::BreaksWhenResumed);
    for report in reports {
        let mut failed = 0;
        for row in &report.connections {
            assert_eq!(row.error.is_some(), row.offered, "{row:?}");
            if row.offered {
                failed += 1;
                assert_eq!(row.failure, Some(failure), "{row:?}");
                assert!(row.bytes_out > 100, "{row:?}");
                assert!(!row.error.as_deref().unwrap().contains("cipher"), "{row:?}");
            }
        }
        let breaks = report.breaks.as_ref().unwrap();
        assert!(breaks.offered > 0, "{breaks:?}");
        assert_eq!(breaks.offered_failed, breaks.offered, "{breaks:?}");
        assert_eq!(breaks.not_offered_failed, 0, "{breaks:?}");
        let text = &report.verdict.text;
        let counted = format!("all {} connections that", failed + breaks.offered);
        assert!(text.contains(&counted), "{counted}: {text}");
        let remedy = report.verdict.remedy.as_deref().unwrap();
        assert!(remedy.starts_with(&format!("either {cause}")), "{remedy}");
    }
}

#[test]
fn a_server_without_a_session_id_context() {
    let lab = Lab::new();
    let server = lab.serve_with(Library::OpenSsl, |settings| {
        settings.openssl.no_session_id_context = true;
    });
    for version in Protocol::ALL {
        for connections in [2, 5] {
            let reports = lab.probe(server.port(), |options| {
                options.tls = Some(version);
                options.connections = Some(connections);
            });
            let cause = "the server asks for client certificates";
            assert_breaks(&reports, Failure::Handshake, cause);
            for report in reports {
                assert_eq!(report.connections.len(), connections);
                let breaks = report.breaks.unwrap();
                assert_eq!((breaks.offered, breaks.not_offered), (3, 3));
                let remedy = report.verdict.remedy.unwrap();
                assert!(
                    remedy.contains("SSL_CTX_set_session_id_context"),
                    "{remedy}"
                );
                assert_eq!(report.verdict.connections_made, connections + 6);
            }
        }
    }
}

#[test]
fn parallel_connections_to_a_server_that_breaks() {
    let lab = Lab::new();
    let server = lab.serve_with(Library::OpenSsl, |settings| {
        settings.openssl.no_session_id_context = true;
    });
    let reports = lab.probe(server.port(), |options| options.concurrency = 4);
    let cause = "the server asks for client certificates";
    assert_breaks(&reports, Failure::Handshake, cause);
}

#[test]
fn a_session_from_the_store_fails() {
    let lab = Lab::new();
    let server = lab.serve_with(Library::OpenSsl, |settings| {
        settings.openssl.no_session_id_context = true;
    });
    let dir = tempfile::tempdir().unwrap();
    let probe = |connections| {
        let mut options = lab.options(server.port());
        options.connections = Some(connections);
        options.backend = BackendChoice::Openssl;
        let Ok(store) = format!("lmdb:{}/sessions", dir.path().display()).parse();
        options.store = store;
        support::probe(&options).remove(0)
    };
    assert_eq!(probe(1).verdict.code, Code::NotTried);
    // The first probe that fails leaves word in the store, and the next one offers nothing at first.
    for first_offers in [true, false] {
        let report = probe(5);
        assert_eq!(report.connections[0].offered, first_offers, "{report:#?}");
        assert_eq!(report.verdict.code, Code::BreaksWhenResumed, "{report:#?}");
    }
}

#[test]
fn an_address_where_offers_fail() {
    let lab = Lab::new();
    let server = lab.serve_with(Library::OpenSsl, |settings| {
        settings.openssl.no_session_id_context = true;
    });
    let reports = lab.probe(server.port(), |options| options.all_addresses = true);
    let cause = "the server asks for client certificates";
    assert_breaks(&reports, Failure::Handshake, cause);
    for report in reports {
        let [row] = report.addresses.as_slice() else {
            panic!("{report:#?}");
        };
        assert!(row.offered && row.failure.is_some(), "{row:?}");
    }
}

/// Bytes of a `ClientHello` that the middlebox lets pass. Without a ticket none is so long.
const MAX_HELLO: u16 = 4_096;

/// Waits for the header of the first record. Whether the record is longer than the limit.
fn has_long_hello(client: &TcpStream) -> io::Result<bool> {
    let mut header = [0; 5];
    while client.peek(&mut header)? < header.len() {
        thread::yield_now();
    }
    Ok(u16::from_be_bytes([header[3], header[4]]) > MAX_HELLO)
}

/// A server whose tickets are longer than the middlebox in front of it lets pass.
fn behind_middlebox(lab: &Lab, middlebox: Greeting) -> (TcpServer, Front) {
    let server = lab.serve_with(Library::Rustls, |settings| {
        let tickets = FaultyTicketer::new().with_size(MAX_HELLO.into());
        settings.rustls.ticketer = Some(std::sync::Arc::new(tickets));
    });
    let front = Front::with_greeting(server.port(), middlebox);
    (server, front)
}

#[test]
fn a_middlebox_that_resets_a_long_client_hello() {
    let lab = Lab::new();
    let (_server, front) = behind_middlebox(&lab, |client| {
        if has_long_hello(client)? {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(())
    });
    for version in Protocol::ALL {
        let reports = lab.probe(front.port(), |options| options.tls = Some(version));
        assert_breaks(&reports, Failure::Closed, "a middlebox on the way");
        for report in reports {
            let remedy = report.verdict.remedy.unwrap();
            assert!(
                remedy.contains("SSL_CTX_set_session_id_context"),
                "{remedy}"
            );
            let rows = report.connections.iter();
            let long = rows.filter(|row| row.bytes_out > MAX_HELLO.into());
            assert!(long.count() > 0);
        }
    }
}

#[test]
fn a_middlebox_that_swallows_a_long_client_hello() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let lab = Lab::new();
    let (_server, front) = behind_middlebox(&lab, |client| {
        if has_long_hello(client)? {
            thread::sleep(2 * TIMEOUT);
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(())
    });
    let reports = lab.probe(front.port(), |options| {
        options.connections = Some(2);
        options.timeout = TIMEOUT;
    });
    assert_breaks(&reports, Failure::Silent, "a middlebox on the way");
    for report in reports {
        // Each takes the whole timeout.
        assert_eq!(report.breaks.unwrap().offered, 1);
    }
}

/// Probes a balancer that sends connections to a good machine or to one that closes them, in turns.
fn probe_sometimes_failing(lab: &Lab, works: &[bool], connections: usize) -> Vec<Report> {
    let server = lab.serve(Library::OpenSsl);
    let bad = lab.misbehave(Behaviour::CloseAfterHello);
    let port = |works: &bool| if *works { server.port() } else { bad.port() };
    let front = Front::new(&works.iter().map(port).collect::<Vec<_>>());
    lab.probe(front.port(), |options| {
        options.connections = Some(connections);
    })
}

#[test]
fn a_server_that_fails_in_turns_is_no_server_that_breaks() {
    let lab = Lab::new();
    for length in 2..=4 {
        for pattern in 0..(1 << length) - 1 {
            let works: Vec<_> = (0..length).map(|bit| pattern & (1 << bit) != 0).collect();
            // After an even number, a machine is next that is good in turns.
            for connections in [4, 5] {
                for report in probe_sometimes_failing(&lab, &works, connections) {
                    let code = report.verdict.code;
                    assert_ne!(code, Code::BreaksWhenResumed, "{works:?}: {report:#?}");
                    let failed = report.connections.iter().any(|row| row.error.is_some());
                    assert_eq!(code == Code::HandshakeFailed, failed, "{report:#?}");
                }
            }
        }
    }
}

#[test]
fn a_server_that_fails_at_random_is_no_server_that_breaks() {
    let lab = Lab::new();
    let mut state = 1_u32;
    for _ in 0..20 {
        let works: Vec<_> = (0..64)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state >> 31 == 0
            })
            .collect();
        for report in probe_sometimes_failing(&lab, &works, 5) {
            let code = report.verdict.code;
            assert_ne!(code, Code::BreaksWhenResumed, "{works:?}: {report:#?}");
        }
    }
}

#[test]
fn a_server_that_always_fails_is_no_server_that_breaks() {
    let lab = Lab::new();
    for report in probe_sometimes_failing(&lab, &[false], 5) {
        assert_eq!(report.verdict.code, Code::HandshakeFailed, "{report:#?}");
        assert_eq!(report.breaks, None);
    }
}
