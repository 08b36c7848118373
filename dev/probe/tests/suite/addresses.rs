//! A name with several addresses.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lab::faults::FaultyTicketer;
use lab::server::{Library, Protocol, ServerResumption, ServerSettings, TicketKeys};
use lab::tcp::TcpServer;
use probe::{Code, Failure, Report};
use rustls::server::ProducesTickets;

use crate::front::Front;
use crate::support::{Lab, assert_code};

const HERE: &str = "127.0.0.1";
const THERE: &str = "127.0.0.2";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Two servers of one name, each at an address of its own.
struct TwoAddresses {
    here: TcpServer,
    _there: TcpServer,
    _front: Front,
}

impl TwoAddresses {
    fn new(lab: &Lab, library: Library, change: impl Fn(&mut ServerSettings)) -> Self {
        Self::with([(); 2].map(|()| lab.serve_with(library, &change)))
    }

    fn with([here, there]: [TcpServer; 2]) -> Self {
        let front = Front::at((ip(THERE), here.port()).into(), &[there.port()]);
        Self {
            here,
            _there: there,
            _front: front,
        }
    }

    fn probe(&self, lab: &Lab, version: Protocol, addresses: &[&str]) -> Vec<Report> {
        lab.probe(self.here.port(), |options| {
            options.addresses = addresses.iter().map(|address| ip(address)).collect();
            options.all_addresses = true;
            options.tls = Some(version);
        })
    }
}

/// The rows as `(from, to, resumed)`.
fn rows(report: &Report) -> Vec<(&str, &str, bool)> {
    let rows = report.addresses.iter();
    rows.map(|row| (row.from.as_str(), row.to.as_str(), row.resumed))
        .collect()
}

#[test]
fn addresses_with_different_keys_differ() {
    let lab = Lab::new();
    for library in Library::ALL {
        for version in [Protocol::Tls12, Protocol::Tls13] {
            let servers = TwoAddresses::new(&lab, library, |_| ());
            let reports = servers.probe(&lab, version, &[HERE, THERE]);
            assert_code(&reports, Code::AddressesDiffer);
            for report in &reports {
                let expected = [
                    (HERE, HERE, true),
                    (THERE, THERE, true),
                    // Each declined session is followed by another.
                    (HERE, THERE, false),
                    (HERE, THERE, false),
                    (THERE, HERE, false),
                    (THERE, HERE, false),
                ];
                assert_eq!(rows(report), expected);
                let text = &report.verdict.text;
                assert!(
                    text.starts_with("tickets from 127.0.0.1 are declined at 127.0.0.2"),
                    "{text}"
                );
                let remedy = report.verdict.remedy.as_deref().unwrap();
                assert!(remedy.contains("ssl_session_ticket_key"), "{remedy}");
            }
        }
    }
}

#[test]
fn addresses_with_the_same_keys_do_not_differ() {
    let lab = Lab::new();
    for library in Library::ALL {
        for version in [Protocol::Tls12, Protocol::Tls13] {
            let keys = TicketKeys::new();
            let servers = TwoAddresses::new(&lab, library, |settings| {
                settings.ticket_keys = Some(keys.clone());
            });
            let reports = servers.probe(&lab, version, &[HERE, THERE]);
            assert_code(&reports, Code::Resumes);
            for report in &reports {
                assert_eq!(report.addresses.len(), 4);
                assert!(report.addresses.iter().all(|row| row.resumed));
                let text = &report.verdict.text;
                assert!(text.contains("2 of 2 sessions of one"), "{text}");
            }
        }
    }
}

#[test]
fn session_ids_differ_and_are_not_called_tickets() {
    let lab = Lab::new();
    let servers = TwoAddresses::new(&lab, Library::OpenSsl, |settings| {
        settings.resumption = ServerResumption::SessionIds;
    });
    let reports = servers.probe(&lab, Protocol::Tls12, &[HERE, THERE]);
    assert_code(&reports, Code::AddressesDiffer);
    for report in reports {
        let text = report.verdict.text;
        assert!(text.starts_with("sessions from"), "{text}");
    }
}

#[test]
fn a_failed_address_does_not_stop_the_others() {
    const NOWHERE: &str = "127.0.0.3";
    let lab = Lab::new();
    let keys = TicketKeys::new();
    for (keys, code) in [
        (Some(keys), Code::AddressFailed),
        (None, Code::AddressesDiffer),
    ] {
        let servers = TwoAddresses::new(&lab, Library::OpenSsl, |settings| {
            settings.ticket_keys.clone_from(&keys);
        });
        let reports = servers.probe(&lab, Protocol::Tls13, &[NOWHERE, HERE, THERE]);
        assert_code(&reports, code);
        for report in &reports {
            let rows = &report.addresses;
            let across = if code == Code::AddressesDiffer { 4 } else { 2 };
            assert_eq!(rows.len(), 3 + across, "{rows:?}");
            assert_eq!(rows[0].failure, Some(Failure::Refused));
            assert!(rows[1..].iter().all(|row| row.error.is_none()), "{rows:?}");
            assert!(report.connections.iter().all(|row| row.error.is_none()));
            assert!(report.verdict.text.contains(NOWHERE), "{report:?}");
        }
    }
}

#[test]
fn one_address_and_no_resuming_address_cannot_be_compared() {
    let lab = Lab::new();
    let servers = TwoAddresses::new(&lab, Library::Rustls, |_| ());
    let reports = servers.probe(&lab, Protocol::Tls13, &[HERE, HERE]);
    assert_code(&reports, Code::Resumes);
    assert!(reports[0].verdict.text.contains("one address only"));

    let servers = TwoAddresses::new(&lab, Library::Rustls, |settings| {
        settings.resumption = ServerResumption::Off;
    });
    let reports = servers.probe(&lab, Protocol::Tls13, &[HERE, THERE]);
    assert_code(&reports, Code::NoTickets);
    for report in &reports {
        // No session is offered at another address.
        assert_eq!(rows(report), [(HERE, HERE, false), (THERE, THERE, false)]);
    }
}

#[test]
fn at_most_eight_addresses_are_tested() {
    let lab = Lab::new();
    let server = lab.serve(Library::Rustls);
    let addresses: Vec<_> = (1..=10).map(|last| format!("127.0.1.{last}")).collect();
    let reports = lab.probe(server.port(), |options| {
        options.addresses = vec![ip(HERE)];
        options
            .addresses
            .extend(addresses.iter().map(|one| ip(one)));
        options.all_addresses = true;
        options.connections = Some(2);
    });
    assert_code(&reports, Code::AddressFailed);
    for report in reports {
        assert_eq!(report.addresses.len(), 8);
        let text = report.verdict.text;
        assert!(text.contains("8 of 11 addresses"), "{text}");
    }
}

/// The ticketer of a server that declines one session in `every`.
#[derive(Debug)]
struct SometimesDeclining {
    tickets: FaultyTicketer,
    every: usize,
    offered: AtomicUsize,
}

impl SometimesDeclining {
    fn one_in(every: usize) -> Arc<dyn ProducesTickets> {
        Arc::new(Self {
            tickets: FaultyTicketer::new(),
            every,
            offered: AtomicUsize::new(0),
        })
    }
}

impl ProducesTickets for SometimesDeclining {
    fn enabled(&self) -> bool {
        self.tickets.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.tickets.encrypt(plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let before = self.offered.fetch_add(1, Ordering::SeqCst);
        let accepts = !(before + 1).is_multiple_of(self.every);
        accepts.then(|| self.tickets.decrypt(ticket)).flatten()
    }
}

/// One server at two addresses has one set of keys.
#[test]
fn a_server_that_sometimes_declines_is_not_two_servers() {
    let lab = Lab::new();
    // The declined session is in the series, at its own address, or at the other one.
    for every in [4, 5, 6, 7, 8] {
        for version in [Protocol::Tls12, Protocol::Tls13] {
            let server = lab.serve_with(Library::Rustls, |settings| {
                settings.rustls.ticketer = Some(SometimesDeclining::one_in(every));
            });
            let _front = Front::at((ip(THERE), server.port()).into(), &[server.port()]);
            let reports = lab.probe(server.port(), |options| {
                options.addresses = vec![ip(HERE), ip(THERE)];
                options.all_addresses = true;
                options.tls = Some(version);
            });
            for report in reports {
                let declined = |offered: bool, resumed: bool| offered && !resumed;
                let any_declined = report
                    .connections
                    .iter()
                    .any(|row| declined(row.offered, row.resumed))
                    || report
                        .addresses
                        .iter()
                        .any(|row| declined(row.offered, row.resumed));
                let code = if any_declined {
                    Code::Partly
                } else {
                    Code::Resumes
                };
                let verdict = &report.verdict;
                assert_eq!(verdict.code, code, "1 in {every}: {report:#?}");
                if let Some(remedy) = &verdict.remedy {
                    assert!(remedy.contains("either several machines"), "{remedy}");
                    assert!(remedy.contains("cache is full"), "{remedy}");
                }
            }
        }
    }
}

type Change = fn(&mut ServerSettings);

#[test]
fn an_address_that_resumes_nothing_is_named() {
    let lab = Lab::new();
    let works = |settings: &mut ServerSettings| settings.ticket_keys = None;
    let no_sessions = |settings: &mut ServerSettings| settings.resumption = ServerResumption::Off;
    let declining = |settings: &mut ServerSettings| {
        settings.rustls.ticketer = Some(Arc::new(FaultyTicketer::new().declining()));
    };
    for (here, there, address, message) in [
        (
            works as Change,
            no_sessions as Change,
            THERE,
            "issues no sessions",
        ),
        (no_sessions, works, HERE, "issues no sessions"),
        (works, declining, THERE, "declined all 2 of its own"),
        (declining, works, HERE, "declined all 2 of its own"),
    ] {
        let servers =
            TwoAddresses::with([here, there].map(|change| lab.serve_with(Library::Rustls, change)));
        let reports = servers.probe(&lab, Protocol::Tls13, &[HERE, THERE]);
        assert_code(&reports, Code::Partly);
        for report in reports {
            let text = report.verdict.text;
            assert!(text.contains(&format!("{address} {message}")), "{text}");
        }
    }
}

#[test]
fn addresses_of_different_versions() {
    let lab = Lab::new();
    let keys = TicketKeys::new();
    for library in Library::ALL {
        let servers = TwoAddresses::with([Protocol::Tls13, Protocol::Tls12].map(|protocol| {
            lab.serve_with(library, |settings| {
                settings.protocols = vec![protocol];
                settings.ticket_keys = Some(keys.clone());
            })
        }));
        let reports = lab.probe(servers.here.port(), |options| {
            options.addresses = vec![ip(HERE), ip(THERE)];
            options.all_addresses = true;
        });
        assert_code(&reports, Code::AddressesDiffer);
        for report in reports {
            let text = report.verdict.text;
            let expected = "127.0.0.1 speaks TLS 1.3 and 127.0.0.2 speaks TLS 1.2";
            assert!(text.starts_with(expected), "{text}");
            let remedy = report.verdict.remedy.unwrap();
            assert!(remedy.contains("ssl_protocols"), "{remedy}");
        }
    }
}

#[test]
fn addresses_show_resumption_where_one_connection_does_not() {
    let lab = Lab::new();
    let keys = TicketKeys::new();
    let servers = TwoAddresses::new(&lab, Library::OpenSsl, |settings| {
        settings.ticket_keys = Some(keys.clone());
    });
    let reports = lab.probe(servers.here.port(), |options| {
        options.addresses = vec![ip(HERE), ip(THERE)];
        options.all_addresses = true;
        options.connections = Some(1);
    });
    assert_code(&reports, Code::Resumes);
}
