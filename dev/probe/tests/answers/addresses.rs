//! A name with several addresses.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lab::hostile::HostileTickets;
use lab::server::{Library, Protocol, ServerResumption, ServerSettings, TicketKeys};
use lab::tcp::TcpServer;
use probe::{Code, Failure, Report};
use rustls::server::ProducesTickets;

use crate::front::Front;
use crate::support::{Trust, assert_code};

const HERE: &str = "127.0.0.1";
const THERE: &str = "127.0.0.2";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Two servers behind one name, each at an address of its own.
struct Fleet {
    here: TcpServer,
    _there: TcpServer,
    _front: Front,
}

impl Fleet {
    fn new(trust: &Trust, library: Library, change: impl Fn(&mut ServerSettings)) -> Self {
        Self::of([(); 2].map(|()| trust.serve_with(library, &change)))
    }

    fn of([here, there]: [TcpServer; 2]) -> Self {
        let front = Front::at((ip(THERE), here.port()).into(), &[there.port()]);
        Self {
            here,
            _there: there,
            _front: front,
        }
    }

    fn ask(&self, trust: &Trust, version: Protocol, addresses: &[&str]) -> Vec<Report> {
        trust.ask(self.here.port(), |options| {
            options.addresses = addresses.iter().map(|address| ip(address)).collect();
            options.all_addresses = true;
            options.tls = Some(version);
        })
    }
}

/// From, to, resumed.
fn rows(report: &Report) -> Vec<(&str, &str, bool)> {
    let rows = report.addresses.iter();
    rows.map(|row| (row.from.as_str(), row.to.as_str(), row.resumed))
        .collect()
}

#[test]
fn keys_of_their_own_differ() {
    let trust = Trust::new();
    for library in Library::ALL {
        for version in [Protocol::Tls12, Protocol::Tls13] {
            let fleet = Fleet::new(&trust, library, |_| ());
            let reports = fleet.ask(&trust, version, &[HERE, THERE]);
            assert_code(&reports, Code::AddressesDiffer);
            for report in &reports {
                let expected = [
                    (HERE, HERE, true),
                    (THERE, THERE, true),
                    // Once more before it is blamed.
                    (HERE, THERE, false),
                    (HERE, THERE, false),
                    (THERE, HERE, false),
                    (THERE, HERE, false),
                ];
                assert_eq!(rows(report), expected);
                let said = &report.verdict.text;
                assert!(
                    said.starts_with("tickets from 127.0.0.1 are refused at 127.0.0.2"),
                    "{said}"
                );
                let remedy = report.verdict.remedy.as_deref().unwrap();
                assert!(remedy.contains("ssl_session_ticket_key"), "{remedy}");
            }
        }
    }
}

#[test]
fn the_same_keys_do_not_differ() {
    let trust = Trust::new();
    for library in Library::ALL {
        for version in [Protocol::Tls12, Protocol::Tls13] {
            let keys = TicketKeys::new();
            let fleet = Fleet::new(&trust, library, |settings| {
                settings.ticket_keys = Some(keys.clone());
            });
            let reports = fleet.ask(&trust, version, &[HERE, THERE]);
            assert_code(&reports, Code::Resumes);
            for report in &reports {
                assert_eq!(report.addresses.len(), 4);
                assert!(report.addresses.iter().all(|row| row.resumed));
                let said = &report.verdict.text;
                assert!(said.contains("2 of 2 sessions of one"), "{said}");
            }
        }
    }
}

#[test]
fn sessions_in_the_memory_of_each_server_differ_and_are_no_tickets() {
    let trust = Trust::new();
    let fleet = Fleet::new(&trust, Library::OpenSsl, |settings| {
        settings.resumption = ServerResumption::SessionIds;
    });
    let reports = fleet.ask(&trust, Protocol::Tls12, &[HERE, THERE]);
    assert_code(&reports, Code::AddressesDiffer);
    for report in reports {
        let said = report.verdict.text;
        assert!(said.starts_with("sessions from"), "{said}");
    }
}

#[test]
fn an_address_that_does_not_answer_is_not_the_end_of_the_others() {
    const NOWHERE: &str = "127.0.0.3";
    let trust = Trust::new();
    let keys = TicketKeys::new();
    for (keys, code) in [
        (Some(keys), Code::AddressFailed),
        (None, Code::AddressesDiffer),
    ] {
        let fleet = Fleet::new(&trust, Library::OpenSsl, |settings| {
            settings.ticket_keys.clone_from(&keys);
        });
        let reports = fleet.ask(&trust, Protocol::Tls13, &[NOWHERE, HERE, THERE]);
        assert_code(&reports, code);
        for report in &reports {
            let rows = &report.addresses;
            let crossed = if code == Code::AddressesDiffer { 4 } else { 2 };
            assert_eq!(rows.len(), 3 + crossed, "{rows:?}");
            assert_eq!(rows[0].failure, Some(Failure::Refused));
            assert!(rows[1..].iter().all(|row| row.error.is_none()), "{rows:?}");
            assert!(report.connections.iter().all(|row| row.error.is_none()));
            assert!(report.verdict.text.contains(NOWHERE), "{report:?}");
        }
    }
}

#[test]
fn one_address_and_servers_that_do_not_resume() {
    let trust = Trust::new();
    let fleet = Fleet::new(&trust, Library::Rustls, |_| ());
    let reports = fleet.ask(&trust, Protocol::Tls13, &[HERE, HERE]);
    assert_code(&reports, Code::Resumes);
    assert!(reports[0].verdict.text.contains("one address only"));

    let fleet = Fleet::new(&trust, Library::Rustls, |settings| {
        settings.resumption = ServerResumption::Off;
    });
    let reports = fleet.ask(&trust, Protocol::Tls13, &[HERE, THERE]);
    assert_code(&reports, Code::NoTickets);
    for report in &reports {
        // Nobody's sessions are offered to anybody.
        assert_eq!(rows(report), [(HERE, HERE, false), (THERE, THERE, false)]);
    }
}

#[test]
fn more_addresses_than_are_asked() {
    let trust = Trust::new();
    let server = trust.serve(Library::Rustls);
    let addresses: Vec<_> = (1..=10).map(|last| format!("127.0.1.{last}")).collect();
    let reports = trust.ask(server.port(), |options| {
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
        let said = report.verdict.text;
        assert!(said.contains("8 of 11 addresses"), "{said}");
    }
}

/// Tickets of a server that declines one in `every`.
#[derive(Debug)]
struct NowAndThen {
    tickets: HostileTickets,
    every: usize,
    offered: AtomicUsize,
}

impl NowAndThen {
    fn every(every: usize) -> Arc<dyn ProducesTickets> {
        Arc::new(Self {
            tickets: HostileTickets::new(),
            every,
            offered: AtomicUsize::new(0),
        })
    }
}

impl ProducesTickets for NowAndThen {
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
        let takes = !(before + 1).is_multiple_of(self.every);
        takes.then(|| self.tickets.decrypt(ticket)).flatten()
    }
}

/// One server at two addresses cannot have two sets of keys.
#[test]
fn a_server_that_declines_now_and_then_is_not_two() {
    let trust = Trust::new();
    // Wherever the declined one falls: at the connections, an address by itself, or between two.
    for every in [4, 5, 6, 7, 8] {
        for version in [Protocol::Tls12, Protocol::Tls13] {
            let server = trust.serve_with(Library::Rustls, |settings| {
                settings.rustls.ticketer = Some(NowAndThen::every(every));
            });
            let _front = Front::at((ip(THERE), server.port()).into(), &[server.port()]);
            let reports = trust.ask(server.port(), |options| {
                options.addresses = vec![ip(HERE), ip(THERE)];
                options.all_addresses = true;
                options.tls = Some(version);
            });
            for report in reports {
                let declined = |offered: bool, resumed: bool| offered && !resumed;
                let any = report
                    .connections
                    .iter()
                    .any(|row| declined(row.offered, row.resumed))
                    || report
                        .addresses
                        .iter()
                        .any(|row| declined(row.offered, row.resumed));
                let code = if any { Code::Partly } else { Code::Resumes };
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
    let trust = Trust::new();
    let good = |settings: &mut ServerSettings| settings.ticket_keys = None;
    let without = |settings: &mut ServerSettings| settings.resumption = ServerResumption::Off;
    let refusing = |settings: &mut ServerSettings| {
        settings.rustls.ticketer = Some(Arc::new(HostileTickets::new().refused()));
    };
    for (here, there, named, why) in [
        (
            good as Change,
            without as Change,
            THERE,
            "gives no sessions",
        ),
        (without, good, HERE, "gives no sessions"),
        (good, refusing, THERE, "declined all 2 of its own"),
        (refusing, good, HERE, "declined all 2 of its own"),
    ] {
        let fleet =
            Fleet::of([here, there].map(|change| trust.serve_with(Library::Rustls, change)));
        let reports = fleet.ask(&trust, Protocol::Tls13, &[HERE, THERE]);
        assert_code(&reports, Code::Partly);
        for report in reports {
            let said = report.verdict.text;
            assert!(said.contains(&format!("{named} {why}")), "{said}");
        }
    }
}

#[test]
fn addresses_of_another_version() {
    let trust = Trust::new();
    let keys = TicketKeys::new();
    for library in Library::ALL {
        let fleet = Fleet::of([Protocol::Tls13, Protocol::Tls12].map(|protocol| {
            trust.serve_with(library, |settings| {
                settings.protocols = vec![protocol];
                settings.ticket_keys = Some(keys.clone());
            })
        }));
        let reports = trust.ask(fleet.here.port(), |options| {
            options.addresses = vec![ip(HERE), ip(THERE)];
            options.all_addresses = true;
        });
        assert_code(&reports, Code::AddressesDiffer);
        for report in reports {
            let said = report.verdict.text;
            let says = "127.0.0.1 speaks TLS 1.3 and 127.0.0.2 speaks TLS 1.2";
            assert!(said.starts_with(says), "{said}");
            let remedy = report.verdict.remedy.unwrap();
            assert!(remedy.contains("ssl_protocols"), "{remedy}");
        }
    }
}

#[test]
fn addresses_answer_where_one_connection_does_not() {
    let trust = Trust::new();
    let keys = TicketKeys::new();
    let fleet = Fleet::new(&trust, Library::OpenSsl, |settings| {
        settings.ticket_keys = Some(keys.clone());
    });
    let reports = trust.ask(fleet.here.port(), |options| {
        options.addresses = vec![ip(HERE), ip(THERE)];
        options.all_addresses = true;
        options.connections = Some(1);
    });
    assert_code(&reports, Code::Resumes);
}
