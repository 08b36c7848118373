//! Timeouts, the end of a connection, and `close`.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use lab::server::{Library, Protocol};
use lab::transport::InMemory;
use tls_resume::Backend;

use super::clients::{builder, client, start, talk, visit};
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
