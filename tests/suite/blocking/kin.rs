//! R37: connections that resume the session of one given connection, and no other.

use std::io::{self, ErrorKind as ErrorKindOfIo, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use lab::faults::{Fault, FaultyProxy, FaultyTransport};
use lab::server::{Library, Protocol, Server};
use lab::transport::InMemory;
use tls_resume::generic::{Connector, Stream};
use tls_resume::{
    Backend, Clock, ConnectOptions, Error, ErrorKind, ManualClock, ReadTimeout, Resumption,
    SystemClock,
};

use super::clients::{Memory, builder, client, error_line, start, talk, visit_in_memory};
use crate::servers::{HOST, LONG, OTHER, PORT, each, good_server, listen, server, settings};

pub(super) fn keep() -> ConnectOptions {
    ConnectOptions::new().keep_session(true)
}

/// A connection that keeps its session, and has read what the server sent.
pub(super) fn control<B: Backend>(client: &Connector<B>, server: &Server) -> Stream<B, Memory> {
    let mut stream = silent_control(client, server);
    talk(&mut stream);
    stream
}

pub(super) fn silent_control<B: Backend>(
    client: &Connector<B>,
    server: &Server,
) -> Stream<B, Memory> {
    let io = Memory(InMemory::new(server));
    let connected = client.connect_stream_with(HOST, PORT, io, &keep());
    connected.expect("a connection")
}

/// A connection that resumes the session of `control`.
fn data<B: Backend>(
    client: &Connector<B>,
    control: &Stream<B, Memory>,
    server: &Server,
) -> Stream<B, Memory> {
    let io = Memory(InMemory::new(server));
    let connected = client.connect_stream_resuming(control, io);
    connected.expect("a connection")
}

pub(super) fn resumption<B: Backend>(
    client: &Connector<B>,
    control: &Stream<B, Memory>,
    server: &Server,
) -> Resumption {
    let mut stream = data(client, control, server);
    talk(&mut stream);
    stream.resumption()
}

/// The identifier of the session that a connection offered, as the server saw it.
fn ticket<B: Backend>(stream: &mut Stream<B, Memory>) -> Vec<u8> {
    let facts = stream.get_mut().0.server().facts();
    facts.and_then(|facts| facts.ticket).expect("a session")
}

/// As often as asked, and without the connector's store.
pub(crate) fn kin_resume_as_often_as_asked<B: Backend>() {
    each(|library, version| {
        let (server, client) = (server(library, version), client::<B>());
        drop(visit_in_memory(&client, &server));
        let before = client.stats();
        let control = control(&client, &server);
        assert_eq!(control.resumption(), Resumption::Full);
        let handle = client.resuming(&control).expect("it keeps its session");
        for number in 0..10 {
            let resumption = resumption(&client, &control, &server);
            assert_eq!(
                resumption,
                Resumption::Resumed,
                "{library} {version} {number}"
            );
        }
        // To whatever port, and when the connection has ended.
        drop(control);
        let io = Memory(InMemory::new(&server));
        let mut last = handle
            .connect_stream(HOST, PORT + 1, io)
            .expect("a connection");
        talk(&mut last);
        assert_eq!(last.resumption(), Resumption::Resumed);
        assert_eq!(client.stats(), before, "neither taken nor stored");
        let other = visit_in_memory(&client, &server);
        assert_eq!(
            other.resumption(),
            Resumption::Resumed,
            "by its own session"
        );
    });
}

/// Each kin offers a session that the server gave to its own connection, or to the kin of that.
pub(crate) fn kin_of_different_connections_are_kept_apart<B: Backend>() {
    each(|library, version| {
        let (server, client) = (server(library, version), client::<B>());
        let controls = [(); 3].map(|()| control(&client, &server));
        let mut seen: [Vec<Vec<u8>>; 3] = Default::default();
        for _ in 0..4 {
            for (control, seen) in controls.iter().zip(&mut seen) {
                let mut stream = data(&client, control, &server);
                talk(&mut stream);
                assert_eq!(stream.resumption(), Resumption::Resumed);
                seen.push(ticket(&mut stream));
            }
        }
        for (one, others) in [(0, [1, 2]), (1, [0, 2]), (2, [0, 1])] {
            let theirs: Vec<_> = others.iter().flat_map(|other| &seen[*other]).collect();
            let is_shared = seen[one].iter().any(|ticket| theirs.contains(&ticket));
            assert!(!is_shared, "{library} {version}");
        }
    });
}

/// The tickets that a connection receives later, and those that its kin receive.
pub(crate) fn the_newest_ticket_is_offered<B: Backend>() {
    for library in Library::ALL {
        let (server, client) = (server(library, Protocol::Tls13), client::<B>());
        let mut control = silent_control(&client, &server);
        let none_yet = data(&client, &control, &server);
        assert_eq!(none_yet.resumption(), Resumption::Full, "{library}");
        talk(&mut control);
        let mut first = data(&client, &control, &server);
        assert_eq!(first.resumption(), Resumption::Resumed, "{library}");
        let before = ticket(&mut first);
        talk(&mut first);
        let mut second = data(&client, &control, &server);
        assert_eq!(second.resumption(), Resumption::Resumed, "{library}");
        assert_ne!(
            ticket(&mut second),
            before,
            "{library}: what the first received"
        );
    }
}

/// A connection after a full handshake keeps nothing for the next one: it is another session.
pub(crate) fn without_a_session_kin_make_full_handshakes<B: Backend>() {
    for version in Protocol::ALL {
        let server = good_server(version);
        let client = client::<B>();
        let full = |control: &Stream<B, Memory>, why: &str| {
            for _ in 0..3 {
                let resumption = resumption(&client, control, &server);
                assert_eq!(resumption, Resumption::Full, "{version} {why}");
            }
        };
        let one = control(&client, &server);
        one.forget();
        full(&one, "forget");
        let one = control(&client, &server);
        client.clear();
        full(&one, "clear");
        let one = control(&client, &server);
        client.clear_server(HOST, PORT);
        full(&one, "clear_server");
        let one = control(&client, &server);
        client.set_never_resume([HOST]).expect("a host");
        full(&one, "never_resume");
        let none: [&str; 0] = [];
        client.set_never_resume(none).expect("no host");
        let one = control(&client, &server);
        client.clear_server(OTHER, PORT);
        let kept = resumption(&client, &one, &server);
        assert_eq!(kept, Resumption::Resumed, "another server was cleared");
    }
}

/// Another server in its place has other keys.
pub(crate) fn a_declined_session_is_not_replaced<B: Backend>() {
    each(|library, version| {
        let (first, second) = (server(library, version), server(library, version));
        let client = client::<B>();
        let one = control(&client, &first);
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(resumption(&client, &one, &second));
        }
        assert!(
            !seen.contains(&Resumption::Resumed),
            "{library} {version} {seen:?}"
        );
        assert_eq!(seen[0], Resumption::Declined);
    });
}

pub(crate) fn a_kept_session_expires<B: Backend>() {
    for version in Protocol::ALL {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let built = builder::<B>().clock(Arc::clone(&clock) as _);
        let limits = tls_resume::Limits::default();
        let hour = Duration::from_secs(3_600);
        let built = built.limits(limits.with_lifetimes(hour, hour)).build();
        let client = built.expect("valid settings");
        let server = good_server(version);
        let one = control(&client, &server);
        clock.advance(hour / 2);
        assert_eq!(resumption(&client, &one, &server), Resumption::Resumed);
        clock.advance(2 * hour);
        assert_eq!(resumption(&client, &one, &server), Resumption::Full);
    }
}

/// A failed handshake takes the session that it offered. Others, which are left with rustls 0.23 in TLS
/// 1.3 alone, are offered: a connection without one is of no use.
pub(crate) fn a_failed_handshake_takes_its_session<B: Backend>() {
    each(|library, version| {
        let (server, client) = (server(library, version), client::<B>());
        let one = control(&client, &server);
        let io = FaultyTransport::new(&server, Fault::CloseAfterClientHello);
        let error = client
            .connect_stream_resuming(&one, io)
            .expect_err("closed");
        assert!(error.offered_session(), "{library} {version} {error}");
        let mut next = data(&client, &one, &server);
        talk(&mut next);
        match version {
            Protocol::Tls12 => assert_eq!(next.resumption(), Resumption::Full),
            Protocol::Tls13 => assert_ne!(next.resumption(), Resumption::Declined),
        }
    });
}

/// Servers end an upload without `close_notify`, and before they have sent anything. In the store, that is
/// a server that rejects the session, and the next connection offers none.
pub(crate) fn an_end_without_close_notify_costs_no_session<B: Backend>() {
    each(|library, version| {
        let (server, client) = (server(library, version), client::<B>());
        let mut one = control(&client, &server);
        for number in 0..3 {
            let io = Cut {
                io: Memory(InMemory::new(&server)),
                is_cut: false,
            };
            let connected = client.connect_stream_resuming(&one, io);
            let mut stream = connected.expect("a connection");
            let what = format!("{library} {version} {number}");
            assert_eq!(stream.resumption(), Resumption::Resumed, "{what}");
            stream.wait_for_tickets(LONG).expect("a wait");
            stream.write_all(b"hello").expect("a write");
            stream.close().expect("close_notify");
            stream.get_mut().is_cut = true;
            let error = stream.read_to_end(&mut Vec::new());
            let error = error.expect_err("no close_notify");
            assert_eq!(error.kind(), ErrorKindOfIo::UnexpectedEof, "{what}");
        }
        talk(&mut one);
    });
}

/// A transport that can end.
#[derive(Debug)]
struct Cut {
    io: Memory,
    is_cut: bool,
}

impl Read for Cut {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.is_cut {
            Ok(0)
        } else {
            self.io.read(buf)
        }
    }
}

impl Write for Cut {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.io.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.io.flush()
    }
}

impl ReadTimeout for Cut {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_read_timeout(timeout)
    }
}

/// R30, where the library makes the connection.
pub(crate) fn a_failed_kin_is_made_again<B: Backend>() {
    for version in Protocol::ALL {
        let server = listen(good_server(version));
        let proxy = FaultyProxy::start(server.address()).expect("a port");
        let client = client::<B>();
        let connected = client.connect_with(HOST, proxy.port(), &keep());
        let mut one = connected.expect("a connection");
        talk(&mut one);
        let handle = client.resuming(&one).expect("it keeps its session");
        proxy.set_fault_on_resumption(Fault::CloseAfterClientHello);
        let stream = handle.connect(HOST, proxy.port()).expect("the retry");
        assert!(stream.retried(), "{version}");
        assert_eq!(stream.resumption(), Resumption::Full, "{version}");
    }
}

/// Not to another host, not by a handle's own partitions, and not as early data.
pub(crate) fn a_kept_session_goes_to_its_server_only<B: Backend>() {
    for version in Protocol::ALL {
        let mut settings = settings(version);
        settings.max_early_data = 1_024;
        let server = Server::new(Library::Rustls, &settings);
        let client = builder::<B>().early_data(true).build();
        let client = client.expect("valid settings");
        let one = control(&client, &server);
        let handle = client.resuming(&one).expect("it keeps its session");
        let visit = |client: &Connector<B>, host: &str| {
            let io = Memory(InMemory::new(&server));
            let mut stream = client.connect_stream(host, PORT, io).expect("a connection");
            talk(&mut stream);
            stream.resumption()
        };
        for _ in 0..2 {
            assert_eq!(visit(&handle, OTHER), Resumption::Full, "{version}");
            assert_eq!(visit(&handle.partition("a"), HOST), Resumption::Full);
        }
        assert_eq!(client.stats().sessions, 0, "nothing is stored either");
        let io = Memory(InMemory::new(&server));
        let early = handle.connect_stream_early(HOST, PORT, io, b"GET /");
        let (mut stream, accepted) = early.expect("a connection");
        assert_eq!((stream.resumption(), accepted), (Resumption::Resumed, 0));
        let facts = stream.get_mut().0.server().facts().expect("a handshake");
        assert!(!facts.early_data);
        talk(&mut stream);
        assert_eq!(
            visit(&handle, "LOCALHOST."),
            Resumption::Resumed,
            "{version}"
        );
    }
}

/// A connection without the option, and one of another connector.
pub(crate) fn only_a_connection_that_keeps_its_session_has_kin<B: Backend>() {
    let server = good_server(Protocol::Tls13);
    let client = client::<B>();
    let config = |result: Result<Connector<B>, Error>| error_line(result, ErrorKind::Config);
    let line = config(client.resuming(&start(&client, &server)));
    assert!(line.contains("keep_session(true)"), "{line}");
    let one = control(&client, &server);
    let of_kin = data(&client, &one, &server);
    assert!(config(client.resuming(&of_kin)).contains("keep_session(true)"));
    let stranger = super::clients::client::<B>();
    let line = config(stranger.resuming(&one));
    assert!(line.contains("another connector"), "{line}");
    // Handles of one connector are one connector.
    let handle = client.partition("a").resuming(&one);
    drop(handle.expect("the same connector"));
    // Where nothing resumes, it is no error, and nothing resumes.
    client.set_never_resume([HOST]).expect("a host");
    let never = control(&client, &server);
    assert_eq!(resumption(&client, &never, &server), Resumption::Full);
}

/// A ticket that can be copied is offered by several at once, and when none arrives any more: data
/// connections that only write.
#[cfg(all(feature = "lmdb", feature = "redis"))]
pub(crate) fn kin_need_one_ticket<B: tls_resume::Shareable>() {
    use lab::server::ServerSettings;
    for library in Library::ALL {
        let settings = ServerSettings {
            tickets: 1,
            ..settings(Protocol::Tls13)
        };
        let server = Server::new(library, &settings);
        let client = client::<B>();
        let one = control(&client, &server);
        let open: Vec<_> = (0..8).map(|_| data(&client, &one, &server)).collect();
        for mut stream in open {
            assert_eq!(stream.resumption(), Resumption::Resumed, "{library}");
            talk(&mut stream);
        }
        let again = resumption(&client, &one, &server);
        assert_eq!(again, Resumption::Resumed, "{library}");
    }
}

/// Neither fetched from a tier nor written to it.
#[cfg(all(feature = "lmdb", feature = "redis"))]
pub(crate) fn kin_leave_the_tier_alone<B: tls_resume::Shareable>() {
    for version in Protocol::ALL {
        let (dir, server) = (super::shared_stores::StoreDir::new(), good_server(version));
        let client = dir.client::<B>();
        let one = control(&client, &server);
        for _ in 0..3 {
            assert_eq!(resumption(&client, &one, &server), Resumption::Resumed);
        }
        drop((one, client));
        let other = visit_in_memory(&dir.client::<B>(), &server);
        assert_eq!(other.resumption(), Resumption::Full, "{version}");
    }
}

/// R28: a client that only writes, or nothing at all, as FTP's on its control connection before a login.
pub(crate) fn an_end_after_a_close_says_nothing_of_the_session<B: Backend>() {
    each(|library, version| {
        let (server, client) = (server(library, version), client::<B>());
        for number in 0..5 {
            let io = Cut {
                io: Memory(InMemory::new(&server)),
                is_cut: false,
            };
            let connected = client.connect_stream(HOST, PORT, io);
            let mut stream = connected.expect("a connection");
            let resumed = stream.resumption() == Resumption::Resumed;
            assert_eq!(resumed, number > 0, "{library} {version} {number}");
            stream.wait_for_tickets(LONG).expect("a wait");
            stream.close().expect("close_notify");
            stream.get_mut().is_cut = true;
            let error = stream.read(&mut [0; 5]).expect_err("no close_notify");
            assert_eq!(error.kind(), ErrorKindOfIo::UnexpectedEof);
        }
    });
}
