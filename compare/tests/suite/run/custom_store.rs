//! Stores that a program brings are measured like the others.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use compare::harness::{CustomStore, Fixture, OpenSslStore, Scenario, Stack, Store, is_single_use};
use compare::sections::{burst, handshakes};
use compare::{Error, Report, Run, Section};
use lab::certificate::{Authority, KeyKind};
use lab::server::Protocol;
use openssl::ssl::SslSession;
use rustls::NamedGroup;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;

use crate::program::{Ran, directory};

/// The example's file, with imports and comments.
const EXAMPLE: &str = include_str!("../../../examples/own_store.rs");

#[test]
fn the_example_has_40_lines_and_its_row() {
    assert!(EXAMPLE.lines().count() <= 40);
    let program = Path::new(env!("CARGO_BIN_EXE_compare"));
    let example = program.parent().unwrap().join("examples/own_store");
    let dir = directory("own-example");
    let output = Command::new(&example).current_dir(&dir).output();
    let output = output.expect("the example is built: cargo test -p compare builds it");
    let ran = Ran::from(output);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains(" mutex-map "), "{}", ran.out);

    let report = Report::read(&dir.join("target/own-store/report.json")).unwrap();
    let rows: Vec<_> = report
        .handshakes
        .iter()
        .filter(|row| row.store == "mutex-map")
        .collect();
    for protocol in ["TLS 1.2", "TLS 1.3"] {
        assert!(rows.iter().any(|row| row.protocol == protocol));
    }
    for row in rows {
        assert_eq!(
            (row.kind.as_str(), &row.error),
            ("resumed", &None),
            "{row:?}"
        );
        assert!(row.rounds > 0 && row.store_ns.is_some(), "{row:?}");
    }
    let ops = report
        .store_ops
        .iter()
        .filter(|row| row.store == "mutex-map");
    // All but a put at capacity: its capacity is unknown.
    assert_eq!(ops.count(), 2 * 6);
    let page = std::fs::read_to_string(dir.join("target/own-store/report.html")).unwrap();
    assert!(page.contains("mutex-map"));
}

/// Offers the newest session: all clients connect to the same server.
#[derive(Default)]
struct Newest(Mutex<VecDeque<SslSession>>);

impl OpenSslStore for Newest {
    fn put(&self, host: &str, port: u16, session: SslSession) {
        assert!(!host.is_empty() && port > 0);
        let mut kept = self.0.lock().unwrap();
        if !is_single_use(&session) {
            kept.clear();
        }
        kept.push_back(session);
    }

    fn offer(&self, _: &str, _: u16) -> Option<SslSession> {
        let mut kept = self.0.lock().unwrap();
        if is_single_use(kept.back()?) {
            kept.pop_back()
        } else {
            kept.back().cloned()
        }
    }
}

#[test]
fn a_store_for_openssl_is_measured_with_each_version_and_each_server() {
    let custom = CustomStore::openssl("newest", Newest::default);
    let plan = handshakes::Plan::short(1)
        .with_custom_stores(&[custom])
        .with_rounds(1);
    let rows = handshakes::measure(&plan, &mut |_| {});
    let errors: Vec<_> = handshakes::errors(&rows).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let custom: Vec<_> = rows.iter().filter(|row| row.store == "newest").collect();
    for protocol in ["TLS 1.2", "TLS 1.3"] {
        for server in ["rustls", "openssl"] {
            let found = custom
                .iter()
                .find(|row| (row.protocol.as_str(), row.server.as_str()) == (protocol, server));
            assert!(found.unwrap().store_ns.is_some());
        }
    }
    assert!(custom.iter().all(|row| row.backend == "openssl"));
}

/// Offers no session.
#[derive(Debug)]
struct Empty;

impl ClientSessionStore for Empty {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }
    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {}
    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

#[test]
fn a_store_that_offers_no_session_has_rows_with_errors() {
    let custom = CustomStore::rustls("empty", || Empty);
    let authority = Authority::new(KeyKind::EcdsaP256);
    let fixture = Fixture::new(Scenario::new(Stack::AwsLcRs, Protocol::Tls13), &authority);
    let client = fixture.client(Store::Custom(custom.clone())).unwrap();
    let error = client.handshake().unwrap_err().to_string();
    assert!(error.contains("was full"), "{error}");

    let plan = burst::Plan {
        concurrency: vec![2],
        rounds: 2,
        custom_stores: vec![custom],
    };
    let rows = burst::measure(&plan, &mut |_| {});
    let custom: Vec<_> = rows.iter().filter(|row| row.store == "empty").collect();
    assert_eq!(custom.len(), 4); // two versions, two servers
    assert!(custom.iter().all(|row| row.resumed_rate.abs() < 1e-9));

    let dir = directory("own-empty");
    let run = Run::short().only([Section::Store]).rounds(1);
    let report = run.rustls_store("empty", || Empty).save(&dir).unwrap();
    assert!(!report.store_ops.is_empty());
    assert!(report.store_ops.iter().all(|row| row.store != "empty"));
}

#[test]
fn another_program_does_not_start_itself() {
    let dir = directory("own-sections");
    let sections = [Section::Tiers, Section::Memory, Section::Equivalence];
    let report = Run::short().only(sections).save(&dir).unwrap();
    for section in sections {
        let why = &report.skipped[section.as_str()];
        assert!(why.contains("the program `compare`"), "{why}");
    }
}

#[test]
fn a_name_is_one_line_and_unique() {
    let dir = directory("own-names");
    for name in ["tls-resume", "in-hand", "moka", "", " ", "two\nlines"] {
        let run = Run::short().rustls_store(name, || ClientSessionMemoryCache::new(8));
        let Err(Error::BadInput(why)) = run.save(&dir) else {
            panic!("{name:?} is accepted as a name");
        };
        assert!(!why.contains('\n'), "{why}");
    }
    let cache = || ClientSessionMemoryCache::new(8);
    let run = Run::short()
        .rustls_store("a", cache)
        .rustls_store("a", cache);
    assert!(matches!(run.save(&dir), Err(Error::BadInput(_))));
}

/// Records which store was asked for a ticket.
#[derive(Debug)]
struct Watched {
    name: char,
    asked: Arc<Mutex<String>>,
    inner: ClientSessionMemoryCache,
}

impl ClientSessionStore for Watched {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.inner.set_kx_hint(server, group);
    }
    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        self.inner.kx_hint(server)
    }
    fn set_tls12_session(&self, server: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.inner.set_tls12_session(server, value);
    }
    fn tls12_session(&self, server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.inner.tls12_session(server)
    }
    fn remove_tls12_session(&self, server: &ServerName<'static>) {
        self.inner.remove_tls12_session(server);
    }
    fn insert_tls13_ticket(&self, server: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.inner.insert_tls13_ticket(server, value);
    }
    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.asked.lock().unwrap().push(self.name);
        self.inner.take_tls13_ticket(server)
    }
}

#[test]
fn the_seed_decides_the_order() {
    let order = |seed| {
        let asked = Arc::new(Mutex::new(String::new()));
        let custom = ['a', 'b', 'c'].map(|name| {
            let asked = Arc::clone(&asked);
            let make = move || Watched {
                name,
                asked: Arc::clone(&asked),
                inner: ClientSessionMemoryCache::new(8),
            };
            Store::Custom(CustomStore::rustls(&name.to_string(), make))
        });
        let plan = handshakes::Plan {
            cases: vec![handshakes::Case {
                scenario: Scenario::new(Stack::AwsLcRs, Protocol::Tls13),
                stores: custom.into(),
                rounds: 20,
            }],
            seed,
        };
        let rows = handshakes::measure(&plan, &mut |_| {});
        assert_eq!(handshakes::errors(&rows).count(), 0);
        asked.lock().unwrap().clone()
    };
    let first = order(1);
    assert_eq!(first, order(1));
    assert_ne!(first, order(2));
    // All are asked equally often.
    let count = |name| first.chars().filter(|asked| *asked == name).count();
    assert!(count('a') > 100 && count('a') == count('b') && count('b') == count('c'));
}
