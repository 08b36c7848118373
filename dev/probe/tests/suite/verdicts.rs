//! Each verdict in its situation, and not in similar ones.

use std::time::Duration;

use lab::faults::FaultyTicketer;
use lab::server::{Library, Protocol, ServerResumption, ServerSettings, TicketKeys};
use lab::slapd::SlapdServer;
use probe::{Backend, BackendChoice, Code, Report, SessionKind};

use crate::front::Front;
use crate::support::{Lab, assert_code};

type Change = fn(&mut ServerSettings);

fn for_each_server(mut check: impl FnMut(Library, Protocol)) {
    for library in Library::ALL {
        for version in Protocol::ALL {
            check(library, version);
        }
    }
}

#[test]
fn a_good_server_resumes_and_saves() {
    let lab = Lab::new();
    for_each_server(|library, version| {
        let server = lab.serve(library);
        let reports = lab.probe(server.port(), |options| options.tls = Some(version));
        assert_code(&reports, Code::Resumes);
        for report in &reports {
            let saves = report.saves.as_ref().unwrap();
            assert_eq!((saves.full.n, saves.resumed.n), (3, 4), "{saves:?}");
            assert!(saves.resumed.bytes_in < saves.full.bytes_in, "{saves:?}");
            assert_eq!((&report.again, &report.burst), (&None, &None));
            let first = &report.connections[0];
            assert_eq!(first.session, Some(SessionKind::Ticket), "{first:?}");
            assert_eq!(first.address.as_deref(), Some("127.0.0.1"));
            // rustls 0.23 does not tell the lifetime; in TLS 1.2 it is in the clear.
            let hidden = report.backend == Backend::Rustls && version == Protocol::Tls13;
            assert_eq!(first.lifetime_s.is_none(), hidden, "{first:?}");
        }
    });
}

#[test]
fn connections_made_are_counted() {
    let lab = Lab::new();
    let server = lab.serve(Library::Rustls);
    let reports = lab.probe(server.port(), |_| ());
    let made: usize = reports
        .iter()
        .map(|report| report.verdict.connections_made)
        .sum();
    assert_eq!(made, server.connections());
    assert!(made <= 3 * 10, "{made}");
}

/// Whether a ticket is accepted twice depends on the server's library and settings.
#[test]
fn tickets_are_accepted_twice_unless_the_server_removes_used_ones() {
    let lab = Lab::new();
    let stateful = |settings: &mut ServerSettings| {
        settings.resumption = ServerResumption::SessionIds;
    };
    let early_data = |settings: &mut ServerSettings| settings.max_early_data = 1_024;
    for (library, change, twice) in [
        (Library::Rustls, (|_| ()) as Change, true),
        (Library::OpenSsl, |_| (), true),
        // rustls removes a used session from its cache, OpenSSL does not.
        (Library::Rustls, stateful, false),
        (Library::OpenSsl, stateful, true),
        // With early data both do.
        (Library::Rustls, early_data, false),
        (Library::OpenSsl, early_data, false),
    ] {
        let server = lab.serve_with(library, change);
        let reports = lab.probe(server.port(), |options| {
            options.tls = Some(Protocol::Tls13);
        });
        assert_code(&reports, Code::Resumes);
        for report in reports {
            let actual = report.twice.map(|row| (row.first, row.second, row.error));
            let possible = report.backend != Backend::Rustls;
            let expected = possible.then_some((true, twice, None));
            assert_eq!(actual, expected, "{library} {}", report.backend);
        }
    }
    // A session of TLS 1.2 is reusable.
    let server = lab.serve(Library::OpenSsl);
    let reports = lab.probe(server.port(), |options| {
        options.tls = Some(Protocol::Tls12);
    });
    assert!(reports.iter().all(|report| report.twice.is_none()));
}

#[test]
fn a_server_without_sessions() {
    let lab = Lab::new();
    for_each_server(|library, version| {
        let server = lab.serve_with(library, |settings| {
            settings.resumption = ServerResumption::Off;
        });
        let reports = lab.probe(server.port(), |options| options.tls = Some(version));
        assert_code(&reports, Code::NoTickets);
        for report in reports {
            assert_eq!(report.verdict.connections_made, 5);
            let remedy = report.verdict.remedy.unwrap();
            assert!(remedy.contains("ssl_session_tickets on"), "{remedy}");
        }
    });
}

#[test]
fn session_ids_without_tickets() {
    let lab = Lab::new();
    for_each_server(|library, version| {
        let server = lab.serve_with(library, |settings| {
            settings.resumption = ServerResumption::SessionIds;
        });
        let reports = lab.probe(server.port(), |options| options.tls = Some(version));
        // A TLS 1.3 ticket that names a session in the server's memory looks like any other.
        let code = match version {
            Protocol::Tls12 => Code::SessionIdsOnly,
            Protocol::Tls13 => Code::Resumes,
        };
        assert_code(&reports, code);
    });
}

#[test]
fn a_short_lifetime_is_named() {
    let lab = Lab::new();
    for (seconds, visible) in [(60, Code::ShortLifetime), (300, Code::Resumes)] {
        for_each_server(|library, version| {
            let server = lab.serve_with(library, |settings| {
                settings.lifetime = Some(Duration::from_secs(seconds));
            });
            let reports = lab.probe(server.port(), |options| options.tls = Some(version));
            for report in reports {
                let hidden = report.backend == Backend::Rustls && version == Protocol::Tls13;
                let code = if hidden { Code::Resumes } else { visible };
                let verdict = report.verdict;
                assert_eq!(verdict.code, code, "{library} {verdict:?}");
                let named = verdict.text.contains("valid for 1 min only");
                assert_eq!(named, code == Code::ShortLifetime, "{verdict:?}");
            }
        });
    }
}

fn full_after_the_first(report: &Report) -> usize {
    let parallel = report.connections.iter().filter(|row| row.connection > 1);
    parallel.filter(|row| !row.offered).count()
}

#[test]
fn a_burst_uses_up_the_tickets() {
    let lab = Lab::new();
    for library in Library::ALL {
        let server = lab.serve(library);
        let reports = lab.probe(server.port(), |options| {
            options.concurrency = 16;
            options.tls = Some(Protocol::Tls13);
        });
        assert_code(&reports, Code::TicketsUsedUp);
        for report in &reports {
            let burst = report.burst.as_ref().unwrap();
            assert_eq!((burst.connections, burst.concurrency), (16, 16));
            assert_eq!(burst.used_up, full_after_the_first(report), "{burst:?}");
            assert_eq!(burst.resumed + burst.used_up, 16, "{burst:?}");
            assert_eq!((burst.declined, burst.nothing_yet), (0, 0));
            let text = &report.verdict.text;
            let used_up = format!(
                "your 16 parallel connections used them up: {} full",
                burst.used_up
            );
            assert!(text.contains("issues 2 tickets"), "{text}");
            assert!(text.contains(&used_up), "{text}");
            let lifetime = report.backend != Backend::Rustls;
            assert_eq!(text.contains("valid for"), lifetime, "{text}");
        }
    }
}

#[test]
fn a_burst_with_a_session_for_every_connection() {
    let lab = Lab::new();
    for (tickets, version) in [(2, Protocol::Tls12), (20, Protocol::Tls13)] {
        let server = lab.serve_with(Library::OpenSsl, |settings| settings.tickets = tickets);
        let reports = lab.probe(server.port(), |options| {
            options.concurrency = 16;
            options.tls = Some(version);
        });
        assert_code(&reports, Code::Resumes);
        for report in &reports {
            assert_eq!(report.burst.as_ref().unwrap().resumed, 16);
        }
    }
}

#[test]
fn a_server_that_declines_its_own_sessions() {
    let lab = Lab::new();
    for version in Protocol::ALL {
        let server = lab.serve_with(Library::Rustls, |settings| {
            let tickets = FaultyTicketer::new().declining();
            settings.rustls.ticketer = Some(std::sync::Arc::new(tickets));
        });
        let reports = lab.probe(server.port(), |options| options.tls = Some(version));
        assert_code(&reports, Code::NeverResumes);
        for report in reports {
            assert_eq!(report.again.map(|again| again.resumed), Some(0));
            let remedy = report.verdict.remedy.unwrap();
            // Both possible causes are named.
            assert!(remedy.contains("either several machines"), "{remedy}");
            assert!(remedy.contains("does not accept its own"), "{remedy}");
        }
    }
}

/// Probes a balancer that sends connections to each of two servers in turn.
fn probe_balanced(
    lab: &Lab,
    library: Library,
    keys: [Option<TicketKeys>; 2],
    version: Protocol,
) -> Vec<Report> {
    let servers = keys.map(|keys| lab.serve_with(library, |settings| settings.ticket_keys = keys));
    let front = Front::new(&servers.each_ref().map(lab::tcp::TcpServer::port));
    lab.probe(front.port(), |options| options.tls = Some(version))
}

#[test]
fn machines_behind_one_address_with_different_keys() {
    let lab = Lab::new();
    for_each_server(|library, version| {
        let reports = probe_balanced(&lab, library, [None, None], version);
        assert_code(&reports, Code::Partly);
        for report in reports {
            let again = report.again.unwrap();
            assert!(
                0 < again.resumed && again.resumed < again.offered,
                "{again:?}"
            );
            let remedy = report.verdict.remedy.unwrap();
            assert!(remedy.starts_with("either several machines"), "{remedy}");
            assert!(remedy.contains("declines now and then"), "{remedy}");
        }
    });
}

#[test]
fn machines_behind_one_address_with_the_same_keys() {
    let lab = Lab::new();
    for_each_server(|library, version| {
        let keys = TicketKeys::new();
        let reports = probe_balanced(&lab, library, [Some(keys.clone()), Some(keys)], version);
        assert_code(&reports, Code::Resumes);
    });
}

/// Both have the same keys.
#[test]
fn machines_behind_one_address_of_different_versions() {
    let lab = Lab::new();
    for library in Library::ALL {
        let keys = TicketKeys::new();
        let servers = [Protocol::Tls13, Protocol::Tls12].map(|protocol| {
            lab.serve_with(library, |settings| {
                settings.protocols = vec![protocol];
                settings.ticket_keys = Some(keys.clone());
            })
        });
        // Each backend has a balancer of its own, so that each begins with TLS 1.3.
        for backend in [
            BackendChoice::Rustls,
            BackendChoice::Openssl,
            BackendChoice::RustlsPreview,
        ] {
            let front = Front::new(&servers.each_ref().map(lab::tcp::TcpServer::port));
            let reports = lab.probe(front.port(), |options| {
                options.backend = backend;
            });
            let verdict = &reports[0].verdict;
            let expected = "TLS 1.3 in 3 connections and TLS 1.2 in 2: a session of one version";
            assert!(verdict.text.contains(expected), "{:#?}", reports[0]);
            let remedy = verdict.remedy.as_ref().unwrap();
            assert!(remedy.contains("ssl_protocols"), "{remedy}");
            if let Some(saves) = &reports[0].saves {
                assert_eq!(saves.full.protocol.as_deref(), Some("TLS 1.3"), "{saves:?}");
            }
        }
    }
}

#[test]
fn one_connection_cannot_resume() {
    let lab = Lab::new();
    let server = lab.serve(Library::OpenSsl);
    let reports = lab.probe(server.port(), |options| options.connections = Some(1));
    assert_code(&reports, Code::NotTried);
}

/// Debian's slapd, which has `GnuTLS` and a configuration without tickets.
#[test]
fn slapd_resumes_nothing() {
    let lab = Lab::new();
    let slapd = SlapdServer::start(&lab.identity()).expect("a slapd");
    for (version, code) in [
        (Protocol::Tls12, Code::NeverResumes),
        (Protocol::Tls13, Code::NoTickets),
    ] {
        let reports = lab.probe(slapd.tls_port(), |options| options.tls = Some(version));
        assert_code(&reports, code);
    }
}
