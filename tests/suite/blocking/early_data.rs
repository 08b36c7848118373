//! R26: early data.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use lab::client_hello::ClientHello;
use lab::server::{Group, Library, OpenSslOnly, Protocol, Server, ServerSettings, TicketKeys};
use lab::transport::InMemory;
use tls_resume::generic::{Connector, Stream};
use tls_resume::{Backend, Clock, ErrorKind, Limits, ManualClock, Resumption, SystemClock};

use super::clients::{builder, client, error_line, talk, visit, visit_in_memory};
use crate::servers::{HOST, LONG, OTHER, PORT, listen, settings};

/// The bytes of early data that the servers allow.
const MAX: u32 = 1024;
/// Longer than a handshake takes on a busy machine.
const SHORT: Duration = Duration::from_millis(800);

fn allowing(max_early_data: u32) -> ServerSettings {
    ServerSettings {
        max_early_data,
        ..settings(Protocol::Tls13)
    }
}

/// A server of OpenSSL with self-contained tickets, which accepts replays of early data.
fn replayable(max_early_data: u32, group: Group, keys: &TicketKeys) -> Server {
    let settings = ServerSettings {
        groups: vec![group],
        ticket_keys: Some(keys.clone()),
        openssl: OpenSslOnly {
            accepts_replays: true,
            ..OpenSslOnly::default()
        },
        ..allowing(max_early_data)
    };
    Server::new(Library::OpenSsl, &settings)
}

fn early<B: Backend>() -> Connector<B> {
    let built = builder().early_data(true).build();
    built.expect("valid settings")
}

/// A transport that records what the client wrote before its first read, and what the server had
/// received by then.
#[derive(Debug)]
struct Recording {
    io: InMemory,
    flight: Vec<u8>,
    at_first_read: Option<(Vec<u8>, bool)>,
    cuts: bool,
}

impl Recording {
    fn to(server: &Server) -> Self {
        Self {
            io: InMemory::new(server),
            flight: Vec::new(),
            at_first_read: None,
            cuts: false,
        }
    }

    /// A transport that breaks once the server has received the first flight.
    fn cut(server: &Server) -> Self {
        Self {
            cuts: true,
            ..Self::to(server)
        }
    }

    fn hello(&self) -> ClientHello {
        ClientHello::parse(&self.flight).expect("a hello")
    }
}

impl Read for Recording {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at_first_read.is_none() {
            let server = self.io.server();
            self.at_first_read = Some((server.early_data().to_vec(), server.facts().is_some()));
            if self.cuts {
                self.io.cut();
            }
        }
        self.io.read(buf)
    }
}

impl Write for Recording {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.at_first_read.is_none() {
            self.flight.extend_from_slice(buf);
        }
        self.io.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.io.flush()
    }
}

/// Connects with `data`, writes the rest of it, and reads the echo: all of it, once, in order.
fn exchange<B: Backend>(
    client: &Connector<B>,
    host: &str,
    server: &Server,
    data: &[u8],
) -> (Stream<B, Recording>, usize) {
    let connected = client.connect_stream_early(host, PORT, Recording::to(server), data);
    let (mut stream, accepted) = connected.expect("a connection");
    stream.write_all(&data[accepted..]).expect("a write");
    stream.flush().expect("a flush");
    let mut echo = vec![0; data.len()];
    stream.read_exact(&mut echo).expect("an echo");
    assert_eq!(echo, data);
    talk(&mut stream);
    let by_server = stream.get_mut().io.server().early_data().to_vec();
    assert_eq!(by_server, &data[..accepted]);
    (stream, accepted)
}

pub(crate) fn early_data_arrives_before_the_handshake_is_done<B: Backend>() {
    for library in Library::ALL {
        let server = Server::new(library, &allowing(MAX));
        let client = early::<B>();
        let (full, accepted) = exchange(&client, HOST, &server, b"GET /");
        assert_eq!((full.resumption(), accepted), (Resumption::Full, 0));
        for _ in 0..3 {
            let (mut stream, accepted) = exchange(&client, HOST, &server, b"GET /");
            assert_eq!((stream.resumption(), accepted), (Resumption::Resumed, 5));
            let recording = stream.get_mut();
            assert_eq!(recording.at_first_read, Some((b"GET /".to_vec(), false)));
            let facts = recording.io.server().facts().expect("a handshake");
            assert!(facts.resumed && facts.early_data, "{library}");
        }
        let stats = client.stats();
        assert_eq!((stats.offered, stats.resumed, stats.declined), (3, 3, 0));
    }
}

pub(crate) fn early_data_is_announced_only_where_asked_for<B: Backend>() {
    for library in Library::ALL {
        let server = Server::new(library, &allowing(MAX));
        for (client, data, announced) in [
            (client::<B>(), &b"GET /"[..], false),
            (early(), b"", false),
            (early(), b"GET /", true),
        ] {
            visit_in_memory(&client, &server);
            let (stream, accepted) = exchange(&client, HOST, &server, data);
            assert_eq!(accepted, if announced { data.len() } else { 0 });
            let hello = stream.get_ref().hello();
            assert_eq!(
                (hello.early_data, hello.psk_identities.len()),
                (announced, 1)
            );
            drop(stream);
            // Nor is it announced with the configuration of an earlier connection.
            let stream = client.connect_stream(HOST, PORT, Recording::to(&server));
            let hello = stream.expect("a connection").get_ref().hello();
            assert_eq!((hello.early_data, hello.psk_identities.len()), (false, 1));
        }
        // Nor with a session that does not allow it.
        let (client, server) = (early::<B>(), Server::new(library, &allowing(0)));
        visit_in_memory(&client, &server);
        let (stream, accepted) = exchange(&client, HOST, &server, b"GET /");
        assert_eq!((stream.resumption(), accepted), (Resumption::Resumed, 0));
        assert!(!stream.get_ref().hello().early_data);
    }
}

pub(crate) fn no_more_early_data_is_sent_than_the_session_allows<B: Backend>() {
    for library in Library::ALL {
        let server = Server::new(library, &allowing(MAX));
        let client = early::<B>();
        visit_in_memory(&client, &server);
        let data: Vec<u8> = (0..=255).cycle().take(40_000).collect();
        let (_, accepted) = exchange(&client, HOST, &server, &data);
        // Half of it, with the overhead of one record.
        assert_eq!(accepted, MAX as usize / 2 - 22, "{library}");
    }
    // A session that allows any amount.
    let server = Server::new(Library::Rustls, &allowing(u32::MAX));
    let client = early::<B>();
    visit_in_memory(&client, &server);
    let data = vec![7; 200_000];
    let (_, accepted) = exchange(&client, HOST, &server, &data);
    assert_eq!(accepted, 16 * 1024 - 22);
}

/// `data` is longer than the session allows, so that the most possible is sent.
pub(crate) fn rejected_early_data_is_left_to_the_caller<B: Backend>() {
    let data = vec![7; 2 * MAX as usize];
    for library in Library::ALL {
        let server = Server::new(library, &allowing(MAX));
        let client = early::<B>();
        visit_in_memory(&client, &server);
        server.rotate_keys();
        let (stream, accepted) = exchange(&client, HOST, &server, &data);
        assert_eq!((stream.resumption(), accepted), (Resumption::Declined, 0));
        assert!(stream.get_ref().hello().early_data, "{library}");
        let (stream, accepted) = exchange(&client, HOST, &server, &data);
        assert_eq!(stream.resumption(), Resumption::Resumed);
        assert!(accepted > 0);
        let stats = client.stats();
        assert_eq!((stats.declined, stats.resumed, stats.failed), (1, 1, 0));
    }
    // The server resumes the session, and accepts early data no longer.
    let keys = TicketKeys::new();
    let [before, now] = [MAX, 0].map(|max| replayable(max, Group::X25519, &keys));
    let client = early::<B>();
    visit_in_memory(&client, &before);
    let (stream, accepted) = exchange(&client, HOST, &now, &data);
    assert_eq!((stream.resumption(), accepted), (Resumption::Resumed, 0));
    assert!(stream.get_ref().hello().early_data);
}

/// The server wants another group.
pub(crate) fn no_early_data_after_a_hello_retry_request<B: Backend>() {
    for library in Library::ALL {
        let settings = ServerSettings {
            groups: vec![Group::X25519],
            ..allowing(MAX)
        };
        let server = Server::new(library, &settings);
        let client = early::<B>();
        visit_in_memory(&client, &server);
        let other = ServerSettings {
            groups: vec![Group::P256],
            ..settings
        };
        let other = Server::new(library, &other);
        let (stream, accepted) = exchange(&client, HOST, &other, &[7; 2_000]);
        assert_eq!((stream.resumption(), accepted), (Resumption::Declined, 0));
        assert!(stream.get_ref().hello().early_data);
    }
    // A server that knows the ticket resumes all the same.
    let keys = TicketKeys::new();
    let client = early::<B>();
    visit_in_memory(&client, &replayable(MAX, Group::X25519, &keys));
    let other = replayable(MAX, Group::P256, &keys);
    let (stream, accepted) = exchange(&client, HOST, &other, &[7; 2_000]);
    assert_eq!((stream.resumption(), accepted), (Resumption::Resumed, 0));
    assert!(stream.get_ref().hello().early_data);
}

/// A replay is the first flight once more, byte for byte.
pub(crate) fn servers_with_anti_replay_accept_early_data_once<B: Backend>() {
    let keys = TicketKeys::new();
    let servers = [
        (Server::new(Library::Rustls, &allowing(MAX)), false),
        (Server::new(Library::OpenSsl, &allowing(MAX)), false),
        // The control: a server without anti-replay accepts it.
        (replayable(MAX, Group::X25519, &keys), true),
    ];
    for (server, accepts_replays) in servers {
        let client = early::<B>();
        visit_in_memory(&client, &server);
        let (stream, accepted) = exchange(&client, HOST, &server, b"POST /");
        assert_eq!(accepted, 6);
        let mut again = server.connection();
        again.receive(&stream.get_ref().flight);
        assert_eq!(
            again.early_data() == b"POST /",
            accepts_replays,
            "{server:?}"
        );
        assert_eq!(again.early_data().is_empty(), !accepts_replays);
    }
}

/// R7.
pub(crate) fn threads_use_a_ticket_each<B: Backend>() {
    const THREADS: usize = 64;
    // The preview of rustls ends a connection that sends more at once.
    const TICKETS: usize = 32;
    for library in Library::ALL {
        let settings = ServerSettings {
            tickets: TICKETS,
            ..allowing(MAX)
        };
        let server = listen(Server::new(library, &settings));
        let client = early::<B>();
        let connect = || client.connect(HOST, server.port()).expect("a connection");
        let mut full: Vec<_> = (0..THREADS / TICKETS).map(|_| connect()).collect();
        for stream in &mut full {
            while stream.tickets() < TICKETS {
                stream.wait_for_tickets(LONG).expect("a wait");
            }
        }
        let begin = Barrier::new(THREADS);
        thread::scope(|scope| {
            for number in 0..THREADS {
                let (client, server, begin) = (&client, &server, &begin);
                scope.spawn(move || {
                    let data = format!("GET /{number:04}");
                    begin.wait();
                    let connected = client.connect_early(HOST, server.port(), data.as_bytes());
                    let (mut stream, accepted) = connected.expect("a connection");
                    assert_eq!(accepted, data.len());
                    let mut echo = vec![0; data.len()];
                    stream.read_exact(&mut echo).expect("an echo");
                    assert_eq!(echo, data.as_bytes());
                });
            }
        });
        let facts = server.wait_for_handshakes(full.len() + THREADS, LONG);
        let early = facts.iter().filter(|facts| facts.early_data);
        let tickets: HashSet<_> = early.filter_map(|facts| facts.ticket.clone()).collect();
        assert_eq!(tickets.len(), THREADS, "{library}");
    }
}

/// R7, R31: and the other sessions of the server stay, for the connection after the next.
pub(crate) fn failed_handshakes_use_the_ticket_up<B: Backend>() {
    for library in Library::ALL {
        let server = Server::new(library, &allowing(MAX));
        let client = early::<B>();
        visit_in_memory(&client, &server);
        let held = client.stats().sessions;
        let cut = Recording::cut(&server);
        let failed = client.connect_stream_early(HOST, PORT, cut, b"GET /");
        error_line(failed, ErrorKind::Closed);
        let stats = client.stats();
        assert_eq!((stats.offered, stats.failed), (1, 1));
        assert_eq!(stats.sessions, held - 1);
        let (stream, accepted) = exchange(&client, HOST, &server, b"GET /");
        assert_eq!((stream.resumption(), accepted), (Resumption::Full, 0));
        assert!(!stream.get_ref().hello().early_data);
    }
}

/// R1: not with another name, port or application protocol.
pub(crate) fn early_data_goes_to_its_own_server_only<B: Backend>() {
    for library in Library::ALL {
        let spoken = ServerSettings {
            alpn: vec![b"http/1.1".to_vec(), b"h2".to_vec()],
            ..allowing(MAX)
        };
        let server = Server::new(library, &spoken);
        let speaking = |protocol: &[u8]| {
            let builder = builder::<B>().alpn([protocol.to_vec()]).early_data(true);
            builder.build().expect("valid settings")
        };
        let client = speaking(b"http/1.1");
        visit_in_memory(&client, &server);
        let (stream, accepted) = exchange(&client, OTHER, &server, b"GET /");
        assert_eq!((accepted, stream.get_ref().hello().early_data), (0, false));
        let (stream, accepted) = exchange(&speaking(b"h2"), HOST, &server, b"GET /");
        assert_eq!((accepted, stream.get_ref().hello().early_data), (0, false));
        let (stream, accepted) = exchange(&client, HOST, &server, b"GET /");
        assert_eq!((accepted, stream.get_ref().hello().early_data), (5, true));
        assert_eq!(stream.alpn().as_deref(), Some(&b"http/1.1"[..]));
    }
}

/// The caller does not know which of them the session is of.
pub(crate) fn early_data_with_several_protocols_is_rejected<B: Backend>() {
    let several = || builder::<B>().alpn([b"h2".to_vec(), b"http/1.1".to_vec()]);
    several().build().expect("valid settings");
    let line = error_line(several().early_data(true).build(), ErrorKind::Config);
    assert!(line.contains("ALPN"), "{line}");
}

/// R6.
pub(crate) fn never_resume_hosts_get_no_early_data<B: Backend>() {
    let server = Server::new(Library::Rustls, &allowing(MAX));
    let built = builder::<B>().early_data(true).never_resume([HOST]).build();
    let client = built.expect("valid settings");
    visit_in_memory(&client, &server);
    let (stream, accepted) = exchange(&client, HOST, &server, b"GET /");
    assert_eq!((accepted, stream.get_ref().hello().early_data), (0, false));
}

pub(crate) fn packed_sessions_allow_early_data<B: Backend>() {
    for library in Library::ALL {
        let server = Server::new(library, &allowing(MAX));
        let limits = Limits::default().with_unpacked_sessions(0);
        let built = builder::<B>().early_data(true).limits(limits).build();
        let client = built.expect("valid settings");
        visit_in_memory(&client, &server);
        let (_, accepted) = exchange(&client, HOST, &server, b"GET /");
        assert_eq!(accepted, 5, "{library}");
    }
}

/// The ticket has expired by the system's clock, but not by the store's. OpenSSL does not offer it
/// then, and early data must not be sent without its key.
pub(crate) fn no_early_data_without_its_ticket<B: Backend>() {
    let lived = Duration::from_secs(1);
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let settings = ServerSettings {
        lifetime: Some(lived),
        ..allowing(MAX)
    };
    let server = Server::new(Library::OpenSsl, &settings);
    let built = builder::<B>().early_data(true).clock(clock).build();
    let client = built.expect("valid settings");
    visit_in_memory(&client, &server);
    // OpenSSL tolerates a second.
    thread::sleep(3 * lived + Duration::from_millis(300));
    let (stream, _) = exchange(&client, HOST, &server, b"GET /");
    let hello = stream.get_ref().hello();
    assert!(!hello.early_data || hello.psk_identities.len() == 1);
    assert_eq!(client.stats().offered, 1);
}

pub(crate) fn tls12_has_no_early_data<B: Backend>() {
    for library in Library::ALL {
        let server = Server::new(library, &settings(Protocol::Tls12));
        let client = early::<B>();
        visit_in_memory(&client, &server);
        let (stream, accepted) = exchange(&client, HOST, &server, b"GET /");
        assert_eq!((stream.resumption(), accepted), (Resumption::Resumed, 0));
        assert!(!stream.get_ref().hello().early_data);
    }
}

pub(crate) fn early_data_is_sent_over_tcp_and_timeouts_are_lifted<B: Backend>() {
    for library in Library::ALL {
        let server = listen(Server::new(library, &allowing(MAX)));
        let client = early::<B>();
        visit(&client, &server);
        let connected = client.connect_early(HOST, server.port(), b"GET /");
        let (mut stream, accepted) = connected.expect("a connection");
        assert_eq!(accepted, 5);
        assert_eq!(stream.get_ref().read_timeout().expect("a socket"), None);
        let mut echo = [0; 5];
        stream.read_exact(&mut echo).expect("an echo");
        assert_eq!(&echo, b"GET /");
    }
}

/// The connector's timeout includes early data.
pub(crate) fn unanswered_early_data_runs_into_the_timeout<B: Backend>() {
    let server = listen(Server::new(Library::Rustls, &allowing(MAX)));
    let before = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = before.local_addr().expect("an address").port();
    let built = builder::<B>().early_data(true).timeout(SHORT).build();
    let client = built.expect("valid settings");
    thread::scope(|scope| {
        scope.spawn(|| {
            let (near, _) = before.accept().expect("a client");
            let far = TcpStream::connect(server.address()).expect("the server");
            thread::scope(|scope| {
                scope.spawn(|| io::copy(&mut &near, &mut &far));
                // Until either end closes.
                let _ = io::copy(&mut &far, &mut &near);
            });
            let (mut silent, _) = before.accept().expect("a client");
            let _ = io::copy(&mut silent, &mut io::sink());
        });
        let mut full = client.connect(HOST, port).expect("a connection");
        full.wait_for_tickets(LONG).expect("a wait");
        full.close().expect("close_notify");
        drop(full);
        let failed = client.connect_early(HOST, port, b"GET /");
        error_line(failed, ErrorKind::Timeout);
    });
    let stats = client.stats();
    assert_eq!((stats.offered, stats.failed), (1, 1));
}
