//! Metrics have the values of the statistics, and the documented names.

use std::collections::BTreeMap;
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tls_resume::Backend;
use tls_resume::generic::{Connector, ConnectorBuilder};

/// The metrics with the label `domain="mail"`: kind and value. Those of a server have its label, too.
fn recorded(snapshotter: &Snapshotter) -> BTreeMap<String, (&'static str, i64)> {
    let snapshot = snapshotter.snapshot().into_vec();
    let value = |value: &DebugValue| match value {
        DebugValue::Counter(count) => ("counter", i64::try_from(*count).expect("not so many")),
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
        let is_of_server = key.key().name().starts_with("tls_resume_server_");
        assert_eq!(labels[0], ("domain", "mail"));
        assert_eq!(labels.len(), 1 + usize::from(is_of_server), "{labels:?}");
        (key.key().name().to_owned(), value(found))
    });
    ours.collect()
}

/// The names in the documentation, with their kinds.
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

fn recorded_values_are_the_statistics<B: Backend>(
    with: impl FnOnce(ConnectorBuilder<B>) -> ConnectorBuilder<B>,
) -> BTreeMap<String, (&'static str, i64)> {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let settings = ServerSettings {
        protocols: vec![Protocol::Tls13],
        ..ServerSettings::new(authority.issue(&["localhost"]))
    };
    let server = TcpServer::start(Server::new(Library::Rustls, &settings)).expect("a port");
    let connector = with(builder(&authority)).build().expect("valid settings");
    connector.watch("localhost", server.port());
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
    let of_server = connector.server_stats("localhost", server.port());
    let of_server = of_server.expect("a server that is watched");
    assert_eq!((of_server.missed, of_server.resumed), (1, 2));
    // The metrics are named after the fields, which serde knows.
    let all = serde_json::to_value(stats).expect("plain data");
    let of_server = serde_json::to_value(of_server).expect("plain data");
    for (prefix, fields) in [("", all), ("server_", of_server)] {
        for (field, value) in fields.as_object().expect("fields") {
            let name = format!("tls_resume_{prefix}{field}");
            let names = [format!("{name}_total"), name];
            let found = names.iter().find_map(|name| recorded.get(name));
            assert_eq!(found.map(|(_, value)| *value), value.as_i64(), "{names:?}");
        }
    }
    for (name, (kind, _)) in &recorded {
        assert_eq!(documented().get(name.as_str()), Some(kind), "{name}");
    }
    // Each has a unit and a help text.
    let snapshot = metrics::with_local_recorder(&sink, || {
        connector.record_metrics();
        snapshotter.snapshot().into_vec()
    });
    for (key, unit, description, _) in snapshot {
        assert!(unit.is_some() && description.is_some(), "{key:?}");
    }
    recorded
}

/// One connector replaces another, as after a configuration is read again; a third one records under
/// the same labels.
fn connectors_with_the_same_labels_add_up<B: Backend>() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let settings = ServerSettings {
        protocols: vec![Protocol::Tls12],
        ..ServerSettings::new(authority.issue(&["localhost"]))
    };
    let server = TcpServer::start(Server::new(Library::Rustls, &settings)).expect("a port");
    let visited = |times| {
        let connector = builder::<B>(&authority).build().expect("valid settings");
        for _ in 0..times {
            let connected = connector.connect("localhost", server.port());
            connected.expect("connected").close().expect("closed");
        }
        connector
    };
    let (first, beside) = (visited(3), visited(1));
    let sink = DebuggingRecorder::new();
    let snapshotter = sink.snapshotter();
    metrics::with_local_recorder(&sink, || {
        // A snapshot resets the recorder, so the values are summed up here.
        let (mut missed, mut held) = (0, 0);
        let mut assert_recorded = |connectors: &[&Connector<B>], expected: (i64, i64)| {
            for connector in connectors {
                connector.record_metrics();
            }
            let recorded = recorded(&snapshotter);
            missed += recorded["tls_resume_missed_total"].1;
            held += recorded["tls_resume_sessions"].1;
            assert_eq!((missed, held), expected);
        };
        assert_recorded(&[&first, &beside], (2, 2));
        assert_recorded(&[&first, &beside, &first], (2, 2));
        drop(first);
        assert_recorded(&[&beside], (2, 1));
        let second = visited(2);
        assert_recorded(&[&second, &beside], (3, 2));
        second.clear();
        assert_recorded(&[&second, &beside], (3, 1));
    });
}

/// The label `server` appears and disappears with the watch.
fn a_watched_server_has_a_label<B: Backend>() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let settings = ServerSettings::new(authority.issue(&["localhost"]));
    let server = TcpServer::start(Server::new(Library::Rustls, &settings)).expect("a port");
    let connector = builder::<B>(&authority).build().expect("valid settings");
    let sink = DebuggingRecorder::new();
    let snapshotter = sink.snapshotter();
    let visit = || {
        let connected = connector.connect("localhost", server.port());
        let mut stream = connected.expect("connected");
        let arrived = stream.wait_for_tickets(Duration::from_secs(10));
        assert!(arrived.expect("a wait") > 0);
        connector.record_metrics();
        let snapshot = snapshotter.snapshot().into_vec();
        let held = snapshot.into_iter().find_map(|(key, _, _, value)| {
            let mut labels = key.key().labels().map(|label| label.value().to_owned());
            let is_held = key.key().name() == "tls_resume_server_held";
            is_held.then(|| (labels.next_back(), value))
        });
        held.map(|(label, value)| match value {
            DebugValue::Gauge(value) => (label.expect("a label"), value.into_inner() > 0.0),
            value => panic!("{value:?}"),
        })
    };
    metrics::with_local_recorder(&sink, || {
        assert_eq!(visit(), None);
        connector.watch("localhost", server.port());
        connector.watch("other.example", 443); // without a connection, it has no series
        let label = format!("localhost:{}", server.port());
        assert_eq!(visit(), Some((label.clone(), true)));
        connector.unwatch("localhost", server.port());
        // The recorder adds up what is recorded since its last snapshot, and forgets no series.
        assert_eq!(visit(), Some((label.clone(), false)));
        assert_eq!(visit(), Some((label, false)));
    });
}

/// R38: a connector with another client certificate has the metrics of the first.
fn connectors_onto_one_store_are_counted_once<B: Backend>() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let settings = ServerSettings::new(authority.issue(&["localhost"]));
    let server = TcpServer::start(Server::new(Library::Rustls, &settings)).expect("a port");
    let first = builder::<B>(&authority).build().expect("valid settings");
    let identity = authority.issue_client("client.lab.example");
    let second = first.with_client_certificate(identity.chain, identity.key);
    let second = second.expect("a certificate");
    for connector in [&first, &second] {
        let connected = connector.connect("localhost", server.port());
        connected.expect("connected").close().expect("closed");
    }
    let sink = DebuggingRecorder::new();
    let snapshotter = sink.snapshotter();
    let missed = || recorded(&snapshotter)["tls_resume_missed_total"].1;
    metrics::with_local_recorder(&sink, || {
        second.record_metrics();
        drop(second);
        first.record_metrics();
        assert_eq!(missed(), 2);
        assert_eq!(first.stats().missed, 2);
    });
}

#[cfg(feature = "rustls")]
#[test]
fn rustls() {
    recorded_values_are_the_statistics::<tls_resume::rustls::Rustls>(|builder| builder);
    connectors_with_the_same_labels_add_up::<tls_resume::rustls::Rustls>();
    connectors_onto_one_store_are_counted_once::<tls_resume::rustls::Rustls>();
    a_watched_server_has_a_label::<tls_resume::rustls::Rustls>();
}

#[cfg(feature = "rustls")]
#[test]
fn metric_labels_replace_the_domain() {
    let builder = tls_resume::rustls::Connector::builder().domain("a customer");
    let builder = builder.metric_labels([("domain", "mail")]);
    let connector = builder.build().expect("valid settings");
    let sink = DebuggingRecorder::new();
    metrics::with_local_recorder(&sink, || connector.record_metrics());
    assert!(!recorded(&sink.snapshotter()).is_empty());
}

#[cfg(feature = "openssl")]
#[test]
fn openssl() {
    recorded_values_are_the_statistics::<tls_resume::openssl::OpenSsl>(|builder| builder);
    connectors_with_the_same_labels_add_up::<tls_resume::openssl::OpenSsl>();
    connectors_onto_one_store_are_counted_once::<tls_resume::openssl::OpenSsl>();
    a_watched_server_has_a_label::<tls_resume::openssl::OpenSsl>();
}

#[cfg(all(feature = "openssl", feature = "lmdb"))]
#[test]
fn a_connector_with_a_tier_records_every_documented_metric() {
    let place = tempfile::tempdir().expect("a directory");
    let url = format!("lmdb:{}", place.path().join("sessions").display());
    let recorded = recorded_values_are_the_statistics::<tls_resume::openssl::OpenSsl>(|builder| {
        builder.store(url)
    });
    let names = recorded.keys().map(String::as_str);
    assert!(names.eq(documented().into_keys()), "{recorded:?}");
}
