//! Connections that cannot be made: the error is one line with advice, and the store keeps working.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::{Behaviour, TcpServer};
use lab::transport::InMemory;
use tls_resume::generic::Connector;
use tls_resume::{Backend, CertificateError, ErrorKind, Resumption};

use super::clients::{Memory, builder, client, error_line, visit, visit_in_memory};
use crate::servers::{HOST, PORT, authority, each, good_server, listen, settings};

/// Calls `fail` between two visits to a good server, the second of which resumes.
fn between_visits<B: Backend>(client: &Connector<B>, fail: impl FnOnce()) {
    let server = listen(good_server(Protocol::Tls13));
    visit(client, &server);
    fail();
    let after = visit(client, &server);
    assert_eq!(
        after.resumption(),
        Resumption::Resumed,
        "the store is harmed"
    );
}

pub(crate) fn invalid_hosts_are_rejected<B: Backend>() {
    let client = client::<B>();
    between_visits(&client, || {
        for host in [
            "",
            ".",
            "a..",
            "two words",
            "a..b",
            "[::1",
            "::1]",
            "ho\nst",
            "h\0st",
            "ü.example",
        ] {
            let line = error_line(client.connect(host, 1), ErrorKind::Name);
            assert!(line.contains("DNS name"), "{line}");
            let server = good_server(Protocol::Tls13);
            let io = Memory(InMemory::new(&server));
            error_line(client.connect_stream(host, 1, io), ErrorKind::Name);
        }
    });
}

pub(crate) fn unreachable_servers_are_errors<B: Backend>() {
    let client = client::<B>();
    between_visits(&client, || {
        let line = error_line(client.connect("something.invalid", 443), ErrorKind::Resolve);
        assert!(line.contains("something.invalid: no address"), "{line}");

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let line = error_line(client.connect("127.0.0.1", port), ErrorKind::Connect);
        assert!(line.contains(&port.to_string()), "{line}");
    });
    let hasty = builder::<B>().timeout(Duration::ZERO).build();
    let hasty = hasty.expect("valid settings");
    error_line(hasty.connect("127.0.0.1", 1), ErrorKind::Timeout);
}

pub(crate) fn bad_certificates_are_rejected<B: Backend>() {
    let unknown_issuer = Authority::new(KeyKind::EcdsaP256);
    let clock = "check the clock";
    for (identity, certificate_error, advice) in [
        (
            unknown_issuer.issue(&[HOST]),
            CertificateError::UnknownIssuer,
            "add the root certificate",
        ),
        (
            authority().issue(&["wrong.example"]),
            CertificateError::NotValidForName,
            "check the host name",
        ),
        (
            authority().issue_expired(&[HOST]),
            CertificateError::Expired,
            clock,
        ),
        (
            authority().issue_not_yet_valid(&[HOST]),
            CertificateError::NotValidYet,
            clock,
        ),
    ] {
        each(|library, version| {
            let client = client::<B>();
            between_visits(&client, || {
                let settings = ServerSettings {
                    identity: identity.clone(),
                    ..settings(version)
                };
                let server = listen(Server::new(library, &settings));
                let stored = client.stats().stored;
                for _ in 0..2 {
                    let result = client.connect(HOST, server.port());
                    let reason = result
                        .as_ref()
                        .err()
                        .and_then(tls_resume::Error::certificate_error);
                    assert_eq!(reason, Some(certificate_error));
                    let line = error_line(result, ErrorKind::Certificate);
                    assert!(line.contains(advice), "{line}");
                }
                // R4.
                assert_eq!(client.stats().stored, stored);
            });
        });
    }
    // Mozilla's roots are trusted by default, and only these.
    let server = listen(good_server(Protocol::Tls13));
    let cautious = Connector::<B>::builder().build().expect("valid settings");
    let line = error_line(
        cautious.connect(HOST, server.port()),
        ErrorKind::Certificate,
    );
    assert!(line.contains("add the root certificate"), "{line}");

    // An address that the certificate does not have.
    let settings = ServerSettings {
        identity: authority().issue(&[HOST]),
        ..settings(Protocol::Tls13)
    };
    let server = listen(Server::new(Library::OpenSsl, &settings));
    let result = client::<B>().connect("127.0.0.1", server.port());
    let line = error_line(result, ErrorKind::Certificate);
    assert!(line.contains("check the host name"), "{line}");
}

pub(crate) fn misbehaving_servers_are_errors<B: Backend>() {
    for (behaviour, kind, says) in [
        (Behaviour::CloseAfterHello, ErrorKind::Closed, "closed"),
        (Behaviour::Silent, ErrorKind::Timeout, "timeout"),
        (Behaviour::PlainText, ErrorKind::Handshake, "not TLS"),
    ] {
        let client = builder::<B>().timeout(Duration::from_millis(300)).build();
        let client = client.expect("valid settings");
        // With the default timeout, for the good server.
        let patient = self::client::<B>();
        between_visits(&patient, || {
            let server = TcpServer::start_with(good_server(Protocol::Tls13), behaviour);
            let server = server.expect("a free port");
            let client = if behaviour == Behaviour::Silent {
                &client
            } else {
                &patient
            };
            let line = error_line(client.connect(HOST, server.port()), kind);
            assert!(line.contains(says), "{line}");
            assert!(line.starts_with("localhost: "), "{line}");
        });
    }
}

/// The timeout is for the whole handshake: each single read is within it.
pub(crate) fn slow_servers_run_into_the_timeout<B: Backend>() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let given_up = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut tcp, _) = listener.accept().expect("a client");
            let step = Some(Duration::from_millis(20));
            tcp.set_read_timeout(step).expect("a timeout");
            // The header of a record that is never sent in full.
            let record = [0x16, 3, 3, 0x40, 0, 2];
            for byte in record.into_iter().chain([0; 200]) {
                if given_up.load(Ordering::SeqCst) || tcp.write_all(&[byte]).is_err() {
                    break;
                }
                let _ = tcp.read(&mut [0; 4096]); // its way to wait
            }
        });
        let client = builder::<B>().timeout(Duration::from_millis(200)).build();
        let result = client.expect("valid settings").connect("127.0.0.1", port);
        given_up.store(true, Ordering::SeqCst);
        error_line(result, ErrorKind::Timeout);
    });
}

/// A transport that ends, or fails, after so many reads.
struct Cut {
    memory: InMemory,
    reads: usize,
    error: Option<io::ErrorKind>,
}

impl Read for Cut {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.reads == 0 {
            return self.error.map_or(Ok(0), |kind| Err(kind.into()));
        }
        self.reads -= 1;
        let most = buf.len().min(100);
        self.memory.read(&mut buf[..most])
    }
}

impl Write for Cut {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.memory.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.memory.flush()
    }
}

pub(crate) fn truncated_handshakes_are_errors<B: Backend>() {
    each(|library, version| {
        let server = Server::new(library, &settings(version));
        let client = client::<B>();
        visit_in_memory(&client, &server);
        for (error, kind) in [
            (None, ErrorKind::Closed),
            (Some(io::ErrorKind::ConnectionReset), ErrorKind::Closed),
            (Some(io::ErrorKind::TimedOut), ErrorKind::Timeout),
            (Some(io::ErrorKind::WouldBlock), ErrorKind::Timeout),
            (Some(io::ErrorKind::HostUnreachable), ErrorKind::Io),
        ] {
            for reads in 0..2 {
                let io = Cut {
                    memory: InMemory::new(&server),
                    reads,
                    error,
                };
                // Another port: a failed handshake removes its server's sessions.
                error_line(client.connect_stream(HOST, PORT + 1, io), kind);
            }
        }
        let mut cut = InMemory::new(&server);
        cut.cut();
        let result = client.connect_stream(HOST, PORT + 1, Memory(cut));
        error_line(result, ErrorKind::Closed);
        let after = visit_in_memory(&client, &server);
        assert_eq!(after.resumption(), Resumption::Resumed);

        // R9, R7: on the same port, the next connection succeeds, and the one after it resumes.
        let io = Cut {
            memory: InMemory::new(&server),
            reads: 0,
            error: None,
        };
        error_line(client.connect_stream(HOST, PORT, io), ErrorKind::Closed);
        assert_eq!(client.stats().failed, 1, "{library} {version:?}");
        visit_in_memory(&client, &server);
        let after = visit_in_memory(&client, &server);
        assert_eq!(after.resumption(), Resumption::Resumed);
    });
}

/// A server speaks TLS if it sent TLS records, or has given a session before.
pub(crate) fn advice_after_a_close_depends_on_the_server<B: Backend>() {
    each(|library, version| {
        let server = Server::new(library, &settings(version));
        let client = client::<B>();
        let closed_after = |reads| {
            let io = Cut {
                memory: InMemory::new(&server),
                reads,
                error: None,
            };
            error_line(client.connect_stream(HOST, PORT, io), ErrorKind::Closed)
        };
        let line = closed_after(0);
        assert!(line.contains("check that it speaks TLS"), "{line}");
        let line = closed_after(1);
        assert!(
            line.contains("it had answered in TLS: see its log"),
            "{line}"
        );
        visit_in_memory(&client, &server);
        let line = closed_after(0);
        assert!(line.contains("had a session from it: try again"), "{line}");
    });
}

/// A transport on which another protocol follows the server's first record.
struct Garbled {
    memory: InMemory,
    header: Vec<u8>,
    left: usize,
}

impl Read for Garbled {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.header.len() < 5 {
            let read = self.memory.read(&mut buf[..1])?;
            self.header.extend(&buf[..read]);
            if let [_, _, _, length @ ..] = &self.header[..]
                && let Ok(length) = <[u8; 2]>::try_from(length)
            {
                self.left = u16::from_be_bytes(length).into();
            }
            return Ok(read);
        }
        if self.left > 0 {
            let most = buf.len().min(self.left);
            let read = self.memory.read(&mut buf[..most])?;
            self.left -= read;
            return Ok(read);
        }
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..]).read(buf)
    }
}

impl Write for Garbled {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.memory.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.memory.flush()
    }
}

pub(crate) fn an_unreadable_message_after_tls_records_is_no_wrong_port<B: Backend>() {
    for version in Protocol::ALL {
        // Not a server of OpenSSL: in this thread it would clear the error queue of the client's.
        let io = Garbled {
            memory: InMemory::new(&good_server(version)),
            header: Vec::new(),
            left: 0,
        };
        let failed = client::<B>().connect_stream(HOST, PORT, io);
        let line = error_line(failed, ErrorKind::Handshake);
        assert!(!line.contains("check the port"), "{line}");
    }
}

/// A transport that accepts nothing and does not fail.
struct Full;

impl Read for Full {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// And not an endless loop.
pub(crate) fn transports_that_accept_nothing_are_errors<B: Backend>() {
    let client = client::<B>();
    between_visits(&client, || {
        error_line(client.connect_stream(HOST, PORT, Full), ErrorKind::Closed);
    });
}
