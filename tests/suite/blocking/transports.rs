//! Timeouts, the end of a connection, and `close`.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use lab::server::{Library, Protocol};
use lab::transport::InMemory;
use tls_resume::{Backend, ReadTimeout};

use super::clients::{builder, client, start, talk, visit};
use crate::reading_to_the_end::ReadingToTheEnd;
use crate::servers::{HOST, PORT, each, good_server, listen, server};

/// Later calls do nothing, and the server's `close_notify` is the end.
pub(crate) fn close_sends_close_notify_once<B: Backend>() {
    each(|library, version| {
        let server = server(library, version);
        let mut stream = start(&client::<B>(), &server);
        talk(&mut stream);
        stream.close().expect("close_notify");
        assert!(stream.get_mut().0.server().client_closed(), "{library}");
        let sent = stream.get_ref().0.bytes_out();
        stream.close().expect("nothing to do");
        assert_eq!(stream.get_ref().0.bytes_out(), sent);
        let error = stream.write_all(b"more").expect_err("it was closed");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{library} {error}");
        stream.get_mut().0.server().close();
        assert_eq!(stream.read(&mut [0; 8]).expect("the end"), 0);
        assert_eq!(stream.read(&mut [0; 8]).expect("the end"), 0);
        stream.close().expect("nothing to do");
    });
    for version in Protocol::ALL {
        let server = listen(good_server(version));
        let mut stream = visit(&client::<B>(), &server);
        stream.close().expect("close_notify");
        assert_eq!(stream.read(&mut [0; 8]).expect("the end"), 0);
        stream.close().expect("nothing to do");
    }
}

/// Tickets that the client has not read make no reset, which could cost the server the last data.
pub(crate) fn close_with_unread_tickets_is_no_reset<B: Backend>() {
    each(|library, version| {
        let server = ReadingToTheEnd::start(&server(library, version));
        let client = client::<B>();
        let mut stream = client.connect(HOST, server.port()).expect("a connection");
        stream.write_all(b"last words").expect("a write");
        server.wait_for_the_tickets();
        let before = stream.tickets();
        stream.close().expect("close_notify");
        let tickets = stream.tickets();
        drop(stream);
        let received = server.received().expect("an end without a reset");
        assert_eq!(received, b"last words", "{library} {version:?}");
        if version == Protocol::Tls13 {
            assert!(tickets > before, "{library}");
            assert!(client.stats().sessions > 0, "they are stored");
        }
    });
}

/// The caller's timeout is as before, and data can still be read.
pub(crate) fn close_keeps_the_timeout_and_the_data<B: Backend>() {
    for version in Protocol::ALL {
        let server = listen(good_server(version));
        let client = client::<B>();
        let mut stream = client.connect(HOST, server.port()).expect("a connection");
        let timeout = Some(Duration::from_secs(7));
        stream
            .get_ref()
            .set_read_timeout(timeout)
            .expect("a timeout");
        stream.write_all(b"hello").expect("a write");
        stream.close().expect("close_notify");
        let after = stream.get_ref().read_timeout().expect("a timeout");
        assert_eq!(after, timeout);
        let mut echo = Vec::new();
        stream.read_to_end(&mut echo).expect("the rest");
        assert_eq!(echo, b"hello", "{version}");
    }
}

pub(crate) fn close_fails_on_a_broken_connection<B: Backend>() {
    for library in Library::ALL {
        let mut stream = start(&client::<B>(), &server(library, Protocol::Tls13));
        stream.get_mut().0.cut();
        let error = stream.close().expect_err("a broken transport");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{library} {error}");
        assert!(stream.read(&mut [0; 8]).is_err());
    }
}

/// A transport that accepts no bytes once it is full.
struct Filling {
    memory: InMemory,
    full: bool,
}

impl Read for Filling {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.memory.read(buf)
    }
}

impl Write for Filling {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.full {
            return Ok(0);
        }
        self.memory.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadTimeout for Filling {
    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn close_ends_over_a_transport_that_accepts_nothing<B: Backend>() {
    let io = Filling {
        memory: InMemory::new(&good_server(Protocol::Tls13)),
        full: false,
    };
    let connected = client::<B>().connect_stream(HOST, PORT, io);
    let mut stream = connected.expect("a connection");
    stream.get_mut().full = true;
    stream.close().expect_err("a broken transport");
}

/// So that a truncated answer is not taken for a whole one.
pub(crate) fn an_end_without_close_notify_is_unexpected<B: Backend>() {
    each(|library, version| {
        let mut stream = start(&client::<B>(), &server(library, version));
        talk(&mut stream);
        stream.get_mut().0.cut();
        let error = stream.read(&mut [0; 8]).expect_err("no close_notify");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{library} {error}");
    });
}

pub(crate) fn timeouts_are_lifted_after_the_handshake<B: Backend>() {
    for version in Protocol::ALL {
        let server = listen(good_server(version));
        let client = builder::<B>().timeout(Duration::from_secs(60)).build();
        let client = client.expect("valid settings");
        let stream = client.connect(HOST, server.port()).expect("a connection");
        let tcp = stream.get_ref();
        assert_eq!(tcp.read_timeout().expect("a timeout"), None);
        assert_eq!(tcp.write_timeout().expect("a timeout"), None);
    }
}

/// The clock cannot add it.
pub(crate) fn the_longest_timeout_is_valid<B: Backend>() {
    let server = listen(good_server(Protocol::Tls13));
    let client = builder::<B>().timeout(Duration::MAX).build();
    let mut stream = visit(&client.expect("valid settings"), &server);
    talk(&mut stream);
}
