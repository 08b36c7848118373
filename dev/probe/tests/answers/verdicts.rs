//! Each answer where it belongs, and not in the neighbour's situation.

use std::time::Duration;

use lab::hostile::HostileTickets;
use lab::server::{Library, Protocol, ServerResumption, ServerSettings, TicketKeys};
use probe::{Backend, BackendChoice, Code, Report, SessionKind};

use crate::front::Front;
use crate::support::{Trust, assert_code};

type Change = fn(&mut ServerSettings);

fn each(mut check: impl FnMut(Library, Protocol)) {
    for library in Library::ALL {
        for version in Protocol::ALL {
            check(library, version);
        }
    }
}

#[test]
fn a_good_server_resumes_and_saves() {
    let trust = Trust::new();
    each(|library, version| {
        let server = trust.serve(library);
        let reports = trust.ask(server.port(), |options| options.tls = Some(version));
        assert_code(&reports, Code::Resumes);
        for report in &reports {
            let saves = report.saves.as_ref().unwrap();
            assert_eq!((saves.full.n, saves.resumed.n), (3, 4), "{saves:?}");
            assert!(saves.resumed.bytes_in < saves.full.bytes_in, "{saves:?}");
            assert_eq!((&report.again, &report.burst), (&None, &None));
            let first = &report.connections[0];
            assert_eq!(first.session, Some(SessionKind::Ticket), "{first:?}");
            assert_eq!(first.address.as_deref(), Some("127.0.0.1"));
            // The wire shows what rustls 0.23 keeps to itself.
            let hidden = report.backend == Backend::Rustls && version == Protocol::Tls13;
            assert_eq!(first.lifetime_s.is_none(), hidden, "{first:?}");
        }
    });
}

#[test]
fn the_connections_are_counted() {
    let trust = Trust::new();
    let server = trust.serve(Library::Rustls);
    let reports = trust.ask(server.port(), |_| ());
    let made: usize = reports
        .iter()
        .map(|report| report.verdict.connections_made)
        .sum();
    assert_eq!(made, server.connections());
    assert!(made <= 3 * 10, "{made}");
}

/// Whether a server takes a ticket twice is its own choice, and its library's.
#[test]
fn tickets_are_accepted_twice_where_the_server_keeps_no_account_of_them() {
    let trust = Trust::new();
    let stateful = |settings: &mut ServerSettings| {
        settings.resumption = ServerResumption::SessionIds;
    };
    let early_data = |settings: &mut ServerSettings| settings.max_early_data = 1_024;
    for (library, change, twice) in [
        (Library::Rustls, (|_| ()) as Change, true),
        (Library::OpenSsl, |_| (), true),
        // rustls removes what is used from its cache, OpenSSL does not.
        (Library::Rustls, stateful, false),
        (Library::OpenSsl, stateful, true),
        // But where early data is allowed, it has to.
        (Library::Rustls, early_data, false),
        (Library::OpenSsl, early_data, false),
    ] {
        let server = trust.serve_with(library, change);
        let reports = trust.ask(server.port(), |options| {
            options.tls = Some(Protocol::Tls13);
        });
        assert_code(&reports, Code::Resumes);
        for report in reports {
            let asked = report.twice.map(|row| (row.first, row.second, row.error));
            let possible = report.backend != Backend::Rustls;
            let expected = possible.then_some((true, twice, None));
            assert_eq!(asked, expected, "{library} {}", report.backend);
        }
    }
    // A session of TLS 1.2 is for any number of connections anyway.
    let server = trust.serve(Library::OpenSsl);
    let reports = trust.ask(server.port(), |options| {
        options.tls = Some(Protocol::Tls12);
    });
    assert!(reports.iter().all(|report| report.twice.is_none()));
}

#[test]
fn a_server_without_sessions() {
    let trust = Trust::new();
    each(|library, version| {
        let server = trust.serve_with(library, |settings| {
            settings.resumption = ServerResumption::Off;
        });
        let reports = trust.ask(server.port(), |options| options.tls = Some(version));
        assert_code(&reports, Code::NoTickets);
        for report in reports {
            assert_eq!(report.verdict.connections_made, 5);
            let remedy = report.verdict.remedy.unwrap();
            assert!(remedy.contains("ssl_session_tickets on"), "{remedy}");
        }
    });
}

#[test]
fn session_ids_alone() {
    let trust = Trust::new();
    each(|library, version| {
        let server = trust.serve_with(library, |settings| {
            settings.resumption = ServerResumption::SessionIds;
        });
        let reports = trust.ask(server.port(), |options| options.tls = Some(version));
        // In TLS 1.3 a ticket may name a session of the server's; nobody can see that.
        let code = match version {
            Protocol::Tls12 => Code::SessionIdsOnly,
            Protocol::Tls13 => Code::Resumes,
        };
        assert_code(&reports, code);
    });
}

#[test]
fn sessions_that_live_for_a_minute() {
    let trust = Trust::new();
    for (seconds, visible) in [(60, Code::ShortLifetime), (300, Code::Resumes)] {
        each(|library, version| {
            let server = trust.serve_with(library, |settings| {
                settings.lifetime = Some(Duration::from_secs(seconds));
            });
            let reports = trust.ask(server.port(), |options| options.tls = Some(version));
            for report in reports {
                let hidden = report.backend == Backend::Rustls && version == Protocol::Tls13;
                let code = if hidden { Code::Resumes } else { visible };
                let verdict = report.verdict;
                assert_eq!(verdict.code, code, "{library} {verdict:?}");
                let said = verdict.text.contains("lives for 1 min only");
                assert_eq!(said, code == Code::ShortLifetime, "{verdict:?}");
            }
        });
    }
}

fn full_in_parallel(report: &Report) -> usize {
    let parallel = report.connections.iter().filter(|row| row.connection > 1);
    parallel.filter(|row| !row.offered).count()
}

#[test]
fn a_burst_uses_the_tickets_up() {
    let trust = Trust::new();
    for library in Library::ALL {
        let server = trust.serve(library);
        let reports = trust.ask(server.port(), |options| {
            options.concurrency = 16;
            options.tls = Some(Protocol::Tls13);
        });
        assert_code(&reports, Code::TicketsUsedUp);
        for report in &reports {
            let burst = report.burst.as_ref().unwrap();
            assert_eq!((burst.connections, burst.concurrency), (16, 16));
            assert_eq!(burst.used_up, full_in_parallel(report), "{burst:?}");
            assert_eq!(burst.resumed + burst.used_up, 16, "{burst:?}");
            assert_eq!((burst.declined, burst.nothing_yet), (0, 0));
            let said = &report.verdict.text;
            let used_up = format!(
                "your 16 parallel connections used them up: {} full",
                burst.used_up
            );
            assert!(said.contains("issues 2 tickets"), "{said}");
            assert!(said.contains(&used_up), "{said}");
            let lifetime = report.backend != Backend::Rustls;
            assert_eq!(said.contains("valid for"), lifetime, "{said}");
        }
    }
}

#[test]
fn a_burst_that_every_connection_has_a_session_for() {
    let trust = Trust::new();
    for (tickets, version) in [(2, Protocol::Tls12), (20, Protocol::Tls13)] {
        let server = trust.serve_with(Library::OpenSsl, |settings| settings.tickets = tickets);
        let reports = trust.ask(server.port(), |options| {
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
fn a_server_that_declines_what_it_gave() {
    let trust = Trust::new();
    for version in Protocol::ALL {
        let server = trust.serve_with(Library::Rustls, |settings| {
            let tickets = HostileTickets::new().refused();
            settings.rustls.ticketer = Some(std::sync::Arc::new(tickets));
        });
        let reports = trust.ask(server.port(), |options| options.tls = Some(version));
        assert_code(&reports, Code::NeverResumes);
        for report in reports {
            assert_eq!(report.again.map(|again| again.resumed), Some(0));
            let remedy = report.verdict.remedy.unwrap();
            // Two causes fit: both are named.
            assert!(remedy.contains("either several machines"), "{remedy}");
            assert!(remedy.contains("does not accept its own"), "{remedy}");
        }
    }
}

/// Two machines behind one address, to each in turn.
fn balanced(
    trust: &Trust,
    library: Library,
    keys: [Option<TicketKeys>; 2],
    version: Protocol,
) -> Vec<Report> {
    let servers =
        keys.map(|keys| trust.serve_with(library, |settings| settings.ticket_keys = keys));
    let front = Front::new(&servers.each_ref().map(lab::tcp::TcpServer::port));
    trust.ask(front.port(), |options| options.tls = Some(version))
}

#[test]
fn machines_behind_one_address_with_keys_of_their_own() {
    let trust = Trust::new();
    each(|library, version| {
        let reports = balanced(&trust, library, [None, None], version);
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
    let trust = Trust::new();
    each(|library, version| {
        let keys = TicketKeys::new();
        let reports = balanced(&trust, library, [Some(keys.clone()), Some(keys)], version);
        assert_code(&reports, Code::Resumes);
    });
}

/// The same keys at both: it is the version that differs.
#[test]
fn machines_behind_one_address_that_speak_other_versions() {
    let trust = Trust::new();
    for library in Library::ALL {
        let keys = TicketKeys::new();
        let servers = [Protocol::Tls13, Protocol::Tls12].map(|protocol| {
            trust.serve_with(library, |settings| {
                settings.protocols = vec![protocol];
                settings.ticket_keys = Some(keys.clone());
            })
        });
        // A balancer of its own for each, so that each begins with TLS 1.3.
        for backend in [
            BackendChoice::Rustls,
            BackendChoice::Openssl,
            BackendChoice::RustlsPreview,
        ] {
            let front = Front::new(&servers.each_ref().map(lab::tcp::TcpServer::port));
            let reports = trust.ask(front.port(), |options| {
                options.backend = backend;
            });
            let verdict = &reports[0].verdict;
            let says = "TLS 1.3 in 3 connections and TLS 1.2 in 2: a session of one version";
            assert!(verdict.text.contains(says), "{:#?}", reports[0]);
            let remedy = verdict.remedy.as_ref().unwrap();
            assert!(remedy.contains("ssl_protocols"), "{remedy}");
            if let Some(saves) = &reports[0].saves {
                assert_eq!(saves.full.protocol.as_deref(), Some("TLS 1.3"), "{saves:?}");
            }
        }
    }
}

#[test]
fn one_connection_is_no_answer() {
    let trust = Trust::new();
    let server = trust.serve(Library::OpenSsl);
    let reports = trust.ask(server.port(), |options| options.connections = Some(1));
    assert_code(&reports, Code::NotTried);
}
