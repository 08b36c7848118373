//! Waiting for tickets, `forget` and `clear`.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::generic::{Connector, Stream};
use tls_resume::{Backend, ReadTimeout, Resumption};

use super::clients::{client, start, talk, visit, visit_in_memory};
use crate::servers::{HOST, LONG, PORT, each, good_server, listen, server, settings};

fn without_tickets(library: Library) -> TcpServer {
    let settings = ServerSettings {
        tickets: 0,
        ..settings(Protocol::Tls13)
    };
    listen(Server::new(library, &settings))
}

fn connect<B: Backend>(server: &TcpServer) -> Stream<B, TcpStream> {
    let connected = client().connect(HOST, server.port());
    connected.expect("a connection")
}

/// A socket that notices a read which had a long timeout and failed.
struct Watched {
    tcp: TcpStream,
    failed_long_read: bool,
}

impl Read for Watched {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.tcp.read(buf);
        let patient = self.tcp.read_timeout()? > Some(LONG / 2);
        self.failed_long_read |= patient && read.is_err();
        read
    }
}

impl Write for Watched {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.tcp.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

impl ReadTimeout for Watched {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_read_timeout(timeout)
    }
}

fn connect_watched<B: Backend>(server: &TcpServer) -> Stream<B, Watched> {
    let io = Watched {
        tcp: TcpStream::connect(server.address()).expect("a connection"),
        failed_long_read: false,
    };
    let connected = client().connect_stream(HOST, server.port(), io);
    connected.expect("a handshake")
}

pub(crate) fn tls12_has_no_tickets_to_wait_for<B: Backend>() {
    for library in Library::ALL {
        let server = listen(server(library, Protocol::Tls12));
        let mut stream = connect_watched::<B>(&server);
        assert_eq!(stream.wait_for_tickets(LONG).expect("a wait"), 1);
        assert!(!stream.get_ref().failed_long_read, "{library}");
        assert_eq!(stream.wait_for_tickets(Duration::MAX).expect("a wait"), 1);
    }
}

pub(crate) fn waiting_ends_at_the_timeout<B: Backend>() {
    for library in Library::ALL {
        let server = without_tickets(library);
        let mut stream = connect::<B>(&server);
        for milliseconds in [0, 20] {
            let deadline = Duration::from_millis(milliseconds);
            assert_eq!(stream.wait_for_tickets(deadline).expect("a wait"), 0);
        }
        talk(&mut stream);
    }
}

/// The whole timeout is for servers that send nothing.
pub(crate) fn waiting_ends_soon_after_the_tickets<B: Backend>() {
    for library in Library::ALL {
        let server = listen(server(library, Protocol::Tls13));
        let mut stream = connect_watched::<B>(&server);
        assert!(stream.wait_for_tickets(LONG).expect("a wait") > 0);
        assert!(!stream.get_ref().failed_long_read, "{library}");
        talk(&mut stream);
        assert_eq!(stream.tickets(), 2);
    }
}

pub(crate) fn waiting_loses_no_data<B: Backend>() {
    each(|library, version| {
        let server = listen(server(library, version));
        let mut stream = connect::<B>(&server);
        stream.write_all(b"hello").expect("a write");
        assert!(stream.wait_for_tickets(LONG).expect("a wait") > 0);
        // Again, with the echo ready to be read.
        stream.wait_for_tickets(LONG).expect("a wait");
        let mut echo = [0; 5];
        stream.read_exact(&mut echo).expect("a read");
        assert_eq!(&echo, b"hello");
        talk(&mut stream);
    });

    // Without tickets, data ends the wait.
    for library in Library::ALL {
        let server = without_tickets(library);
        let mut stream = connect_watched::<B>(&server);
        stream.write_all(b"hello").expect("a write");
        assert_eq!(stream.wait_for_tickets(LONG).expect("a wait"), 0);
        assert!(!stream.get_ref().failed_long_read, "{library}");
        let mut echo = [0; 5];
        stream.read_exact(&mut echo).expect("a read");
        assert_eq!(&echo, b"hello");
    }
}

pub(crate) fn waiting_restores_the_read_timeout<B: Backend>() {
    let server = listen(good_server(Protocol::Tls13));
    let mut stream = connect::<B>(&server);
    for timeout in [None, Some(Duration::from_secs(7))] {
        stream
            .get_ref()
            .set_read_timeout(timeout)
            .expect("a timeout");
        stream.wait_for_tickets(LONG).expect("a wait");
        let restored = stream.get_ref().read_timeout().expect("a timeout");
        assert_eq!(restored, timeout);
    }
}

/// With and without `close_notify`.
pub(crate) fn waiting_on_a_closed_connection_ends<B: Backend>() {
    for library in Library::ALL {
        let server = server(library, Protocol::Tls13);
        let mut stream = start(&client::<B>(), &server);
        stream.get_mut().0.server().close();
        assert_eq!(stream.wait_for_tickets(Duration::MAX).expect("a wait"), 2);
        assert_eq!(stream.wait_for_tickets(Duration::MAX).expect("a wait"), 2);

        let mut stream = start(&client::<B>(), &server);
        stream.get_mut().0.cut();
        assert_eq!(stream.wait_for_tickets(Duration::MAX).expect("a wait"), 0);
    }
}

/// R4.
pub(crate) fn forget_removes_the_connections_sessions<B: Backend>() {
    each(|library, version| {
        let server = listen(server(library, version));
        let client = client::<B>();
        visit(&client, &server).forget();
        assert_eq!(client.stats().sessions, 0, "{library} {version:?}");
        assert_eq!(visit(&client, &server).resumption(), Resumption::Full);
        // And the session that it resumed, with the older ones.
        let resumed = visit(&client, &server);
        assert_eq!(resumed.resumption(), Resumption::Resumed);
        resumed.forget();
        assert_eq!(client.stats().sessions, 0, "{library} {version:?}");
        assert_eq!(visit(&client, &server).resumption(), Resumption::Full);
    });
}

/// R4.
pub(crate) fn late_tickets_are_not_stored_after_forget<B: Backend>() {
    for library in Library::ALL {
        let server = server(library, Protocol::Tls13);
        let client = client::<B>();
        let mut stream = start(&client, &server);
        stream.forget();
        talk(&mut stream);
        assert_eq!(stream.tickets(), 2, "they came");
        assert_eq!(client.stats().sessions, 0, "and were not stored");
        let next = visit_in_memory(&client, &server);
        assert_eq!(next.resumption(), Resumption::Full);
    }
}

pub(crate) fn clear_removes_all_and_clear_server_one<B: Backend>() {
    for version in Protocol::ALL {
        let server = good_server(version);
        let client = client::<B>();
        let resumes = |client: &Connector<B>| {
            visit_in_memory(client, &server).resumption() == Resumption::Resumed
        };
        resumes(&client);
        client.clear();
        assert_eq!(client.stats().sessions, 0);
        assert!(!resumes(&client));

        client.clear_server("another.lab.example", PORT);
        client.clear_server(HOST, PORT + 1);
        assert!(resumes(&client), "another server was cleared");
        for spelling in [HOST, "LOCALHOST", "localhost.", "[localhost]"] {
            client.clear_server(spelling, PORT);
            assert!(!resumes(&client), "{spelling} {version:?}");
        }
        assert!(resumes(&client));
    }
}

/// R22.
pub(crate) fn late_tickets_are_not_stored_after_clear<B: Backend>() {
    for library in Library::ALL {
        for one_server in [false, true] {
            let server = server(library, Protocol::Tls13);
            let client = client::<B>();
            let mut stream = start(&client, &server);
            if one_server {
                client.clear_server(HOST, PORT);
            } else {
                client.clear();
            }
            talk(&mut stream);
            let stats = client.stats();
            assert_eq!((stats.sessions, stats.refused_cleared), (0, 2));
            let next = visit_in_memory(&client, &server);
            assert_eq!(next.resumption(), Resumption::Full);
            let next = visit_in_memory(&client, &server);
            assert_eq!(next.resumption(), Resumption::Resumed);
        }
    }
}
