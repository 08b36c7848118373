//! What is recorded is what the connector counts, under the names that are documented.

use std::collections::BTreeMap;
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tls_resume::Backend;
use tls_resume::generic::{Connector, ConnectorBuilder};

/// Everything recorded in the domain `mail`: its kind, and its value as a whole number.
fn recorded(snapshotter: &Snapshotter) -> BTreeMap<String, (&'static str, u64)> {
    let snapshot = snapshotter.snapshot().into_vec();
    let value = |value: &DebugValue| match value {
        DebugValue::Counter(count) => ("counter", *count),
        DebugValue::Gauge(value) => {
            let whole = format!("{value}").parse().expect("a whole number");
            ("gauge", whole)
        }
        DebugValue::Histogram(_) => panic!("no histograms"),
    };
    let ours = snapshot.iter().map(|(key, _, _, found)| {
        let labels: Vec<_> = key
            .key()
            .labels()
            .map(|it| (it.key(), it.value()))
            .collect();
        assert_eq!(labels, [("domain", "mail")]);
        (key.key().name().to_owned(), value(found))
    });
    ours.collect()
}

/// The names in the documentation's table, with their kinds.
fn documented() -> BTreeMap<&'static str, &'static str> {
    let table = include_str!("../../docs/observability.md").lines();
    let rows = table.filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((name, rest.split(" | ").next()?))
    });
    rows.collect()
}

fn builder<B: Backend>(authority: &Authority) -> ConnectorBuilder<B> {
    Connector::builder()
        .roots([authority.root_der()])
        .domain("mail")
}

fn records_what_it_counts<B: Backend>(
    with: impl FnOnce(ConnectorBuilder<B>) -> ConnectorBuilder<B>,
) -> BTreeMap<String, (&'static str, u64)> {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let settings = ServerSettings {
        protocols: vec![Protocol::Tls13],
        ..ServerSettings::new(authority.issue(&["localhost"]))
    };
    let server = TcpServer::start(Server::new(Library::Rustls, &settings)).expect("a port");
    let connector = with(builder(&authority)).build().expect("valid settings");
    for _ in 0..3 {
        let mut stream = connector
            .connect("localhost", server.port())
            .expect("connected");
        stream
            .wait_for_tickets(Duration::from_secs(10))
            .expect("a wait");
    }
    let sink = DebuggingRecorder::new();
    let snapshotter = sink.snapshotter();
    let stats = metrics::with_local_recorder(&sink, || {
        tls_resume::metrics::describe();
        connector.record_metrics();
        connector.stats()
    });
    let recorded = recorded(&snapshotter);
    assert_eq!(stats.resumed, 2);
    // The names of the fields are those of the metrics: what serde knows, so do they.
    let fields = serde_json::to_value(stats).expect("plain data");
    for (field, value) in fields.as_object().expect("fields") {
        let names = [
            format!("tls_resume_{field}_total"),
            format!("tls_resume_{field}"),
        ];
        let found = names.iter().find_map(|name| recorded.get(name));
        assert_eq!(found.map(|(_, value)| *value), value.as_u64(), "{field}");
    }
    for (name, (kind, _)) in &recorded {
        assert_eq!(documented().get(name.as_str()), Some(kind), "{name}");
    }
    // Every one of them has a help text.
    let snapshot = metrics::with_local_recorder(&sink, || {
        connector.record_metrics();
        snapshotter.snapshot().into_vec()
    });
    for (key, unit, description, _) in snapshot {
        assert!(unit.is_some() && description.is_some(), "{key:?}");
    }
    recorded
}

#[cfg(feature = "rustls")]
#[test]
fn rustls() {
    records_what_it_counts::<tls_resume::rustls::Rustls>(|builder| builder);
}

#[cfg(feature = "openssl")]
#[test]
fn openssl() {
    records_what_it_counts::<tls_resume::openssl::OpenSsl>(|builder| builder);
}

#[cfg(all(feature = "openssl", feature = "lmdb"))]
#[test]
fn with_a_tier_everything_is_recorded_that_is_documented() {
    let place = tempfile::tempdir().expect("a directory");
    let url = format!("lmdb:{}", place.path().join("sessions").display());
    let recorded =
        records_what_it_counts::<tls_resume::openssl::OpenSsl>(|builder| builder.store(url));
    let names = recorded.keys().map(String::as_str);
    assert!(names.eq(documented().into_keys()), "{recorded:?}");
}
