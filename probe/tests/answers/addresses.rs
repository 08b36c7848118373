//! A name with several addresses.

use std::net::IpAddr;

use lab::server::{Library, ServerResumption, ServerSettings, TicketKeys};
use lab::tcp::TcpServer;
use probe::{Code, Failure, Report, TlsVersion};

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
        let [here, there] = [(); 2].map(|()| trust.serve_with(library, &change));
        let front = Front::at((ip(THERE), here.port()).into(), &[there.port()]);
        Self {
            here,
            _there: there,
            _front: front,
        }
    }

    fn ask(&self, trust: &Trust, version: TlsVersion, addresses: &[&str]) -> Vec<Report> {
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
        for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
            let fleet = Fleet::new(&trust, library, |_| ());
            let reports = fleet.ask(&trust, version, &[HERE, THERE]);
            assert_code(&reports, Code::AddressesDiffer);
            for report in &reports {
                let expected = [
                    (HERE, HERE, true),
                    (THERE, THERE, true),
                    (HERE, THERE, false),
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
        for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
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
    let reports = fleet.ask(&trust, TlsVersion::Tls12, &[HERE, THERE]);
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
        let reports = fleet.ask(&trust, TlsVersion::Tls13, &[NOWHERE, HERE, THERE]);
        assert_code(&reports, code);
        for report in &reports {
            let rows = &report.addresses;
            assert_eq!(rows.len(), 3 + 2, "{rows:?}");
            assert_eq!(rows[0].failure, Some(Failure::Refused));
            assert!(rows[1..].iter().all(|row| row.error.is_none()), "{rows:?}");
            assert!(report.connections.iter().all(|row| row.error.is_none()));
            if code == Code::AddressFailed {
                assert!(report.verdict.text.contains(NOWHERE), "{report:?}");
            }
        }
    }
}

#[test]
fn one_address_and_servers_that_do_not_resume() {
    let trust = Trust::new();
    let fleet = Fleet::new(&trust, Library::Rustls, |_| ());
    let reports = fleet.ask(&trust, TlsVersion::Tls13, &[HERE, HERE]);
    assert_code(&reports, Code::Resumes);
    assert!(reports[0].verdict.text.contains("one address only"));

    let fleet = Fleet::new(&trust, Library::Rustls, |settings| {
        settings.resumption = ServerResumption::Off;
    });
    let reports = fleet.ask(&trust, TlsVersion::Tls13, &[HERE, THERE]);
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
