//! The events of handshakes that resume, fail, are declined and are cancelled.

use std::fmt::{self, Debug, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::{Behaviour, TcpServer};
use tls_resume::Backend;
use tls_resume::generic::Connector;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use crate::servers::HOST;

/// The usage of sessions of each version, as events have it.
const KINDS: [(Protocol, &str); 2] = [
    (Protocol::Tls12, "reusable"),
    (Protocol::Tls13, "single-use"),
];

/// A subscriber that keeps events as lines: the message, then the fields.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => write!(self.fields, " {name}={value:?}").unwrap(),
        }
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tls_resume"
    }

    fn event(&self, event: &Event<'_>) {
        assert_eq!(*event.metadata().level(), Level::DEBUG);
        let mut line = Line::default();
        event.record(&mut line);
        let Line { message, fields } = line;
        self.0.lock().unwrap().push(format!("{message}{fields}"));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

fn settings(version: Protocol, authority: &Authority) -> ServerSettings {
    ServerSettings {
        protocols: vec![version],
        tickets: 1,
        ..ServerSettings::new(authority.issue(&[HOST]))
    }
}

fn serve(version: Protocol, authority: &Authority) -> TcpServer {
    let server = Server::new(Library::OpenSsl, &settings(version, authority));
    TcpServer::start(server).expect("a port")
}

fn connector<B: Backend>(authority: &Authority, named: bool) -> Connector<B> {
    let builder = Connector::builder().roots([authority.root_der()]);
    builder
        .log_server_names(named)
        .build()
        .expect("valid settings")
}

fn visit<B: Backend>(connector: &Connector<B>, server: &TcpServer) {
    let mut stream = connector.connect(HOST, server.port()).expect("connected");
    stream
        .wait_for_tickets(Duration::from_secs(10))
        .expect("a wait");
}

/// Visits a server three times; before the last visit it rotates its ticket keys. Returns the events,
/// the tickets that the server was offered, and its port.
fn visits<B: Backend>(version: Protocol, named: bool) -> (Vec<String>, Vec<Vec<u8>>, u16) {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let server = serve(version, &authority);
    let connector = connector::<B>(&authority, named);
    let recorder = Recorder::default();
    let events = tracing::subscriber::with_default(recorder.clone(), || {
        for number in 0..3 {
            if number == 2 {
                server.server().rotate_keys();
            }
            visit(&connector, &server);
        }
        recorder.take()
    });
    let facts = server.wait_for_handshakes(3, Duration::from_secs(10));
    let tickets = facts.into_iter().filter_map(|facts| facts.ticket);
    (events, tickets.collect(), server.port())
}

pub(crate) fn each_use_of_a_session_is_an_event<B: Backend>() {
    for (version, usage) in KINDS {
        let (events, tickets, port) = visits::<B>(version, true);
        let server = format!("server=\"{HOST}:{port}\"");
        let expected = [
            format!("missed {server}"),
            format!("offered {server} usage=\"{usage}\""),
            format!("resumed {server}"),
            format!("offered {server} usage=\"{usage}\""),
            format!("declined {server}"),
        ];
        assert_eq!(events, expected, "{version}");
        assert_absent(&tickets, &events.join("\n"));
    }
}

/// The events of `connect`, which connects to a server that gave a session in an earlier visit, and the
/// server's name in them.
fn after_a_visit<B: Backend>(
    version: Protocol,
    connect: impl FnOnce(&Connector<B>, u16),
) -> (Vec<String>, String) {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let server = serve(version, &authority);
    let connector = connector::<B>(&authority, true);
    visit(&connector, &server);
    let recorder = Recorder::default();
    tracing::subscriber::with_default(recorder.clone(), || connect(&connector, server.port()));
    let called = format!("server=\"{HOST}:{}\"", server.port());
    (recorder.take(), called)
}

fn bad_server(behaviour: Behaviour) -> TcpServer {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let server = Server::new(Library::Rustls, &settings(Protocol::Tls13, &authority));
    TcpServer::start_with(server, behaviour).expect("a port")
}

pub(crate) fn failed_handshakes_are_events<B: Backend>() {
    let bad = bad_server(Behaviour::CloseAfterHello);
    for (version, usage) in KINDS {
        let (events, server) = after_a_visit::<B>(version, |connector, port| {
            let io = TcpStream::connect(bad.address()).expect("TCP");
            assert!(connector.connect_stream(HOST, port, io).is_err());
        });
        let expected = [
            format!("offered {server} usage=\"{usage}\""),
            format!("failed {server}"),
        ];
        assert_eq!(events, expected, "{version}");
    }
}

/// The server ends each handshake in which a session is offered.
pub(crate) fn retries_and_avoided_servers_are_events<B: Backend>() {
    for (version, usage) in KINDS {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let mut breaks = settings(version, &authority);
        breaks.client_root = Some(authority.root_der());
        breaks.openssl.no_session_id_context = true;
        let breaks = Server::new(Library::OpenSsl, &breaks);
        let breaks = TcpServer::start(breaks).expect("a port");
        let connector = connector::<B>(&authority, true);
        let recorder = Recorder::default();
        tracing::subscriber::with_default(recorder.clone(), || {
            for _ in 0..3 {
                visit(&connector, &breaks);
            }
        });
        let server = format!("server=\"{HOST}:{}\"", breaks.port());
        let expected = [
            format!("missed {server}"),
            format!("offered {server} usage=\"{usage}\""),
            format!("failed {server}"),
            format!("retried {server}"),
            format!("avoided {server}"),
        ];
        assert_eq!(recorder.take(), expected, "{version}");
    }
}

#[cfg(feature = "tokio")]
fn cancelled_handshakes_are_events<B: tls_resume::tokio::Backend>() {
    let silent = bad_server(Behaviour::Silent);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for (version, usage) in KINDS {
        let (events, server) = after_a_visit::<B>(version, |connector, port| {
            runtime.block_on(async {
                let io = tokio::net::TcpStream::connect(silent.address()).await;
                let connector = connector.tokio();
                let connecting = connector.connect_stream(HOST, port, io.expect("TCP"));
                let waited = tokio::time::timeout(Duration::from_millis(50), connecting);
                assert!(waited.await.is_err());
            });
        });
        let expected = [
            format!("offered {server} usage=\"{usage}\""),
            format!("cancelled {server}"),
        ];
        assert_eq!(events, expected, "{version}");
    }
}

/// Bytes as text: in hexadecimal, as a list, as an escaped string.
fn forms(bytes: &[u8]) -> [String; 4] {
    let hex = |format: fn(&u8) -> String| bytes.iter().map(format).collect::<String>();
    let list = format!("{bytes:?}");
    [
        hex(|byte| format!("{byte:02x}")),
        hex(|byte| format!("{byte:02X}")),
        list.trim_matches(['[', ']']).to_owned(),
        bytes.escape_ascii().to_string(),
    ]
}

fn assert_absent(tickets: &[Vec<u8>], events: &str) {
    assert!(!tickets.is_empty());
    for ticket in tickets {
        for form in forms(&ticket[..8]) {
            assert!(!events.contains(&form), "{form} in {events}");
        }
    }
}

/// R24.
pub(crate) fn events_have_neither_names_nor_sessions<B: Backend>() {
    for version in Protocol::ALL {
        let (events, tickets, port) = visits::<B>(version, false);
        let servers: Vec<_> = events
            .iter()
            .map(|line| line.split("server=\"").nth(1).unwrap()[..16].to_owned())
            .collect();
        assert!(servers.iter().all(|server| *server == servers[0]));
        assert!(servers[0].chars().all(|digit| digit.is_ascii_hexdigit()));
        let events = events.join("\n");
        assert!(
            !events.contains(HOST) && !events.contains(&port.to_string()),
            "{events}"
        );
        assert_absent(&tickets, &events);
    }
}

#[cfg(all(feature = "tokio", feature = "rustls"))]
#[test]
fn cancelled_handshakes_of_rustls_are_events() {
    cancelled_handshakes_are_events::<tls_resume::rustls::Rustls>();
}

#[cfg(all(feature = "tokio", feature = "openssl"))]
#[test]
fn cancelled_handshakes_of_openssl_are_events() {
    cancelled_handshakes_are_events::<tls_resume::openssl::OpenSsl>();
}

/// R21: OpenSSL frees the handle that reports the failure, and a panic there would end the process.
#[cfg(feature = "openssl")]
#[test]
fn a_panicking_subscriber_does_not_end_the_process() {
    struct Panics(Recorder);

    impl Subscriber for Panics {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            self.0.enabled(metadata)
        }

        fn event(&self, event: &Event<'_>) {
            self.0.event(event);
            let events = self.0.0.lock().unwrap().pop().unwrap();
            assert!(!events.starts_with("failed"), "the subscriber panics");
            self.0.0.lock().unwrap().push(events);
        }

        fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
            self.0.new_span(span)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    let silent = bad_server(Behaviour::Silent);
    for (version, usage) in KINDS {
        let (events, server) =
            after_a_visit::<tls_resume::openssl::OpenSsl>(version, |connector, port| {
                let io = TcpStream::connect(silent.address()).expect("TCP");
                io.set_read_timeout(Some(Duration::from_millis(50)))
                    .expect("a timeout");
                let recorder = Recorder::default();
                let panics = Panics(recorder.clone());
                tracing::subscriber::with_default(panics, || {
                    assert!(connector.connect_stream(HOST, port, io).is_err());
                });
                // Pass them on to the outer subscriber.
                for line in recorder.take() {
                    tracing::debug!(target: "tls_resume", "{line}");
                }
            });
        assert_eq!(events, [format!("offered {server} usage=\"{usage}\"")]);
    }
}
