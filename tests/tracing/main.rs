//! What is said to `tracing`, on real handshakes.

use std::fmt::{self, Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol as Version, Server, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::Backend;
use tls_resume::generic::Connector;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

const HOST: &str = "localhost";

/// Keeps events as lines: the message, then the fields.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

impl Listener {
    fn heard(&self) -> Vec<String> {
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

impl Subscriber for Listener {
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

impl Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// Visits a server, which forgets its ticket keys before the last visit; what is said, and what the
/// server was offered.
fn visits<B: Backend>(version: Version, named: bool) -> (Vec<String>, Vec<Vec<u8>>, u16) {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let settings = ServerSettings {
        protocols: vec![version],
        tickets: 1,
        ..ServerSettings::new(authority.issue(&[HOST]))
    };
    let server = TcpServer::start(Server::new(Library::OpenSsl, &settings)).expect("a port");
    let builder = Connector::<B>::builder().roots([authority.root_der()]);
    let connector = builder.name_servers(named).build().expect("valid settings");
    let listener = Listener::default();
    let said = tracing::subscriber::with_default(listener.clone(), || {
        for visit in 0..3 {
            if visit == 2 {
                server.server().rotate_keys();
            }
            let mut stream = connector.connect(HOST, server.port()).expect("connected");
            stream
                .wait_for_tickets(Duration::from_secs(10))
                .expect("a wait");
        }
        listener.heard()
    });
    let facts = server.wait_for_handshakes(3, Duration::from_secs(10));
    let tickets = facts.into_iter().filter_map(|facts| facts.ticket);
    (said, tickets.collect(), server.port())
}

fn each_step_is_an_event<B: Backend>() {
    for (version, usage) in [(Version::Tls12, "reusable"), (Version::Tls13, "single-use")] {
        let (said, tickets, port) = visits::<B>(version, true);
        let server = format!("server=\"{HOST} {port}\"");
        let expected = [
            format!("missed {server}"),
            format!("offered {server} usage=\"{usage}\""),
            format!("resumed {server}"),
            format!("offered {server} usage=\"{usage}\""),
            format!("declined {server}"),
        ];
        assert_eq!(said, expected, "{version}");
        assert!(!tickets.is_empty());
    }
}

/// R24: neither names nor sessions.
fn nothing_is_said_that_nobody_asked_for<B: Backend>() {
    for version in Version::ALL {
        let (said, tickets, port) = visits::<B>(version, false);
        let servers: Vec<_> = said
            .iter()
            .map(|line| line.split("server=\"").nth(1).unwrap()[..16].to_owned())
            .collect();
        assert!(servers.iter().all(|server| *server == servers[0]));
        assert!(servers[0].chars().all(|digit| digit.is_ascii_hexdigit()));
        let said = said.join("\n");
        assert!(
            !said.contains(HOST) && !said.contains(&port.to_string()),
            "{said}"
        );
        for ticket in tickets {
            let hex = u32::from_be_bytes(*ticket.first_chunk().unwrap());
            let hex = format!("{hex:08x}");
            assert!(!said.contains(&hex), "{said}");
        }
    }
}

macro_rules! on {
    ($name:ident: $backend:ty) => {
        mod $name {
            #[test]
            fn each_step_is_an_event() {
                crate::each_step_is_an_event::<$backend>();
            }

            #[test]
            fn nothing_is_said_that_nobody_asked_for() {
                crate::nothing_is_said_that_nobody_asked_for::<$backend>();
            }
        }
    };
}

#[cfg(feature = "rustls")]
on! { rustls: tls_resume::rustls::Rustls }
#[cfg(feature = "openssl")]
on! { openssl: tls_resume::openssl::OpenSsl }
#[cfg(feature = "rustls-preview")]
on! { rustls_preview: tls_resume::rustls_preview::RustlsPreview }
