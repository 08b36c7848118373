//! R26: data goes out with the first message if that was asked for and the session allows it, once.

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

use crate::lab_client::{
    HOST, LONG, OTHER, PORT, builder, client, listen, refused, settings, talk, visit,
    visit_in_memory,
};

/// What the servers allow.
const MAX: u32 = 1024;
/// Longer than a handshake takes on a busy machine.
const SHORT: Duration = Duration::from_millis(800);

fn allowing(max_early_data: u32) -> ServerSettings {
    ServerSettings {
        max_early_data,
        ..settings(Protocol::Tls13)
    }
}

/// A server of OpenSSL whose tickets are self-contained, so that it takes early data again and again.
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

/// A client's way to a server that notes what was said before the server was heard for the first
/// time, and what the server knew by then.
#[derive(Debug)]
struct Noted {
    io: InMemory,
    flight: Vec<u8>,
    at_first_read: Option<(Vec<u8>, bool)>,
    cuts: bool,
}

impl Noted {
    fn to(server: &Server) -> Self {
        Self {
            io: InMemory::new(server),
            flight: Vec::new(),
            at_first_read: None,
            cuts: false,
        }
    }

    /// Breaks when the server has heard the first flight.
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

impl Read for Noted {
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

impl Write for Noted {
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

/// Connects with `data`, writes what is left of it, and has it echoed: all of it, once, in order.
fn exchange<B: Backend>(
    client: &Connector<B>,
    host: &str,
    server: &Server,
    data: &[u8],
) -> (Stream<B, Noted>, usize) {
    let connected = client.connect_stream_early(host, PORT, Noted::to(server), data);
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

pub(crate) fn it_arrives_once_before_the_handshake_is_done<B: Backend>() {
    for library in Library::ALL {
        let server = Server::new(library, &allowing(MAX));
        let client = early::<B>();
        let (full, accepted) = exchange(&client, HOST, &server, b"GET /");
        assert_eq!((full.resumption(), accepted), (Resumption::Full, 0));
        for _ in 0..3 {
            let (mut stream, accepted) = exchange(&client, HOST, &server, b"GET /");
            assert_eq!((stream.resumption(), accepted), (Resumption::Resumed, 5));
            let noted = stream.get_mut();
            assert_eq!(noted.at_first_read, Some((b"GET /".to_vec(), false)));
            let facts = noted.io.server().facts().expect("a handshake");
            assert!(facts.resumed && facts.early_data, "{library}");
        }
        let stats = client.stats();
        assert_eq!((stats.offered, stats.resumed, stats.declined), (3, 3, 0));
    }
}

pub(crate) fn it_is_announced_only_where_it_is_asked_for<B: Backend>() {
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
            // Nor is it announced by what is lent again.
            let stream = client.connect_stream(HOST, PORT, Noted::to(&server));
            let hello = stream.expect("a connection").get_ref().hello();
            assert_eq!((hello.early_data, hello.psk_identities.len()), (false, 1));
        }
        // A session that allows none.
        let (client, server) = (early::<B>(), Server::new(library, &allowing(0)));
        visit_in_memory(&client, &server);
        let (stream, accepted) = exchange(&client, HOST, &server, b"GET /");
        assert_eq!((stream.resumption(), accepted), (Resumption::Resumed, 0));
        assert!(!stream.get_ref().hello().early_data);
    }
}

pub(crate) fn no_more_is_sent_than_the_session_allows<B: Backend>() {
    for library in Library::ALL {
        let server = Server::new(library, &allowing(MAX));
        let client = early::<B>();
        visit_in_memory(&client, &server);
        let data: Vec<u8> = (0..=255).cycle().take(40_000).collect();
        let (_, accepted) = exchange(&client, HOST, &server, &data);
        // Half of it, with what is around the one record.
        assert_eq!(accepted, MAX as usize / 2 - 22, "{library}");
    }
    // One that allows any amount.
    let server = Server::new(Library::Rustls, &allowing(u32::MAX));
    let client = early::<B>();
    visit_in_memory(&client, &server);
    let data = vec![7; 200_000];
    let (_, accepted) = exchange(&client, HOST, &server, &data);
    assert_eq!(accepted, 16 * 1024 - 22);
}

/// Each time more than the session allows, so that as much is sent as ever is.
pub(crate) fn what_is_rejected_is_left_to_the_caller<B: Backend>() {
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
    // The session is good, and early data is no longer taken.
    let keys = TicketKeys::new();
    let [before, now] = [MAX, 0].map(|max| replayable(max, Group::X25519, &keys));
    let client = early::<B>();
    visit_in_memory(&client, &before);
    let (stream, accepted) = exchange(&client, HOST, &now, &data);
    assert_eq!((stream.resumption(), accepted), (Resumption::Resumed, 0));
    assert!(stream.get_ref().hello().early_data);
}

/// A server that wants another group asks once more, and takes no early data then.
pub(crate) fn a_hello_that_is_asked_for_again_carries_none<B: Backend>() {
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
    // One that knows the ticket resumes all the same.
    let keys = TicketKeys::new();
    let client = early::<B>();
    visit_in_memory(&client, &replayable(MAX, Group::X25519, &keys));
    let other = replayable(MAX, Group::P256, &keys);
    let (stream, accepted) = exchange(&client, HOST, &other, &[7; 2_000]);
    assert_eq!((stream.resumption(), accepted), (Resumption::Resumed, 0));
    assert!(stream.get_ref().hello().early_data);
}

/// What a network could do: the first flight comes again, byte for byte.
pub(crate) fn a_server_takes_a_copy_once<B: Backend>() {
    let keys = TicketKeys::new();
    let servers = [
        (Server::new(Library::Rustls, &allowing(MAX)), false),
        (Server::new(Library::OpenSsl, &allowing(MAX)), false),
        // That a copy is as good as the first is the control.
        (replayable(MAX, Group::X25519, &keys), true),
    ];
    for (server, takes_copies) in servers {
        let client = early::<B>();
        visit_in_memory(&client, &server);
        let (stream, accepted) = exchange(&client, HOST, &server, b"POST /");
        assert_eq!(accepted, 6);
        let mut again = server.connection();
        again.receive(&stream.get_ref().flight);
        assert_eq!(again.early_data() == b"POST /", takes_copies, "{server:?}");
        assert_eq!(again.early_data().is_empty(), !takes_copies);
    }
}

/// R7: 64 at once use 64 tickets, whatever each sends with its own.
pub(crate) fn many_threads_use_a_ticket_each<B: Backend>() {
    const THREADS: usize = 64;
    // The preview of rustls breaks off a connection that brings more at once.
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

/// R7, R9: the ticket is gone, and so are the older ones of its server.
pub(crate) fn a_handshake_that_fails_uses_the_ticket_up<B: Backend>() {
    for library in Library::ALL {
        let server = Server::new(library, &allowing(MAX));
        let client = early::<B>();
        visit_in_memory(&client, &server);
        let cut = Noted::cut(&server);
        let failed = client.connect_stream_early(HOST, PORT, cut, b"GET /");
        refused(failed, ErrorKind::Closed);
        let stats = client.stats();
        assert_eq!((stats.offered, stats.failed, stats.sessions), (1, 1, 0));
        let (stream, accepted) = exchange(&client, HOST, &server, b"GET /");
        assert_eq!((stream.resumption(), accepted), (Resumption::Full, 0));
        assert!(!stream.get_ref().hello().early_data);
    }
}

/// R1: another name, another port, another protocol of the application.
pub(crate) fn it_goes_to_no_other_server<B: Backend>() {
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

/// The session would be of one of them, and nobody knows which.
pub(crate) fn several_protocols_are_refused<B: Backend>() {
    let several = || builder::<B>().alpn([b"h2".to_vec(), b"http/1.1".to_vec()]);
    several().build().expect("valid settings");
    let line = refused(several().early_data(true).build(), ErrorKind::Config);
    assert!(line.contains("ALPN"), "{line}");
}

/// R6.
pub(crate) fn hosts_that_never_resume_are_sent_none<B: Backend>() {
    let server = Server::new(Library::Rustls, &allowing(MAX));
    let built = builder::<B>().early_data(true).never_resume([HOST]).build();
    let client = built.expect("valid settings");
    visit_in_memory(&client, &server);
    let (stream, accepted) = exchange(&client, HOST, &server, b"GET /");
    assert_eq!((accepted, stream.get_ref().hello().early_data), (0, false));
}

/// What a session allows is known of it in whatever form it was kept.
pub(crate) fn packed_sessions_allow_it_too<B: Backend>() {
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

/// By the system's clock the ticket is over, and by the store's it is not: OpenSSL withholds it then,
/// and nothing may go out early without it, since nobody's key would protect it.
pub(crate) fn none_is_sent_without_its_ticket<B: Backend>() {
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
    // OpenSSL grants a second.
    thread::sleep(3 * lived + Duration::from_millis(300));
    let (stream, _) = exchange(&client, HOST, &server, b"GET /");
    let hello = stream.get_ref().hello();
    assert!(!hello.early_data || hello.psk_identities.len() == 1);
    assert_eq!(client.stats().offered, 1);
}

/// TLS 1.2 has no such thing.
pub(crate) fn older_versions_have_none<B: Backend>() {
    for library in Library::ALL {
        let server = Server::new(library, &settings(Protocol::Tls12));
        let client = early::<B>();
        visit_in_memory(&client, &server);
        let (stream, accepted) = exchange(&client, HOST, &server, b"GET /");
        assert_eq!((stream.resumption(), accepted), (Resumption::Resumed, 0));
        assert!(!stream.get_ref().hello().early_data);
    }
}

pub(crate) fn it_is_sent_over_tcp_and_timeouts_are_lifted<B: Backend>() {
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

/// The connector's own time bounds what is sent early like all the rest.
pub(crate) fn a_server_that_does_not_answer_it_is_timed_out<B: Backend>() {
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
                // To the end of either.
                let _ = io::copy(&mut &far, &mut &near);
            });
            let (mut silent, _) = before.accept().expect("a client");
            let _ = io::copy(&mut silent, &mut io::sink());
        });
        let mut full = client.connect(HOST, port).expect("a connection");
        full.wait_for_tickets(LONG).expect("a wait");
        full.close().expect("a farewell");
        drop(full);
        let failed = client.connect_early(HOST, port, b"GET /");
        refused(failed, ErrorKind::Timeout);
    });
    let stats = client.stats();
    assert_eq!((stats.offered, stats.failed, stats.sessions), (1, 1, 0));
}
