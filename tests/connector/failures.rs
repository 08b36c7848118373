//! Connections that cannot be made: one clear line, and the store unharmed.

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

use crate::lab_client::{
    HOST, Memory, PORT, authority, builder, client, each, good_server, listen, refused, settings,
    visit, visit_in_memory,
};

/// Fails between two visits to a good server: the second one resumes all the same.
fn in_between<B: Backend>(client: &Connector<B>, fail: impl FnOnce()) {
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

pub(crate) fn hosts_that_are_none<B: Backend>() {
    let client = client::<B>();
    in_between(&client, || {
        for host in [
            "",
            ".",
            "two words",
            "a..b",
            "[::1",
            "::1]",
            "ho\nst",
            "h\0st",
            "ü.example",
        ] {
            let line = refused(client.connect(host, 1), ErrorKind::Name);
            assert!(line.contains("DNS name"), "{line}");
            let server = good_server(Protocol::Tls13);
            let io = Memory(InMemory::new(&server));
            refused(client.connect_stream(host, 1, io), ErrorKind::Name);
        }
    });
}

pub(crate) fn servers_that_are_not_there<B: Backend>() {
    let client = client::<B>();
    in_between(&client, || {
        let line = refused(client.connect("something.invalid", 443), ErrorKind::Resolve);
        assert!(line.contains("something.invalid: no address"), "{line}");

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let line = refused(client.connect("127.0.0.1", port), ErrorKind::Connect);
        assert!(line.contains(&port.to_string()), "{line}");
    });
    let hasty = builder::<B>().timeout(Duration::ZERO).build();
    let hasty = hasty.expect("valid settings");
    refused(hasty.connect("127.0.0.1", 1), ErrorKind::Timeout);
}

pub(crate) fn certificates_that_are_refused<B: Backend>() {
    let stranger = Authority::new(KeyKind::EcdsaP256);
    let clock = "check the clock";
    for (identity, certificate_error, advice) in [
        (
            stranger.issue(&[HOST]),
            CertificateError::UnknownIssuer,
            "give the root certificate",
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
            in_between(&client, || {
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
                    let line = refused(result, ErrorKind::Certificate);
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
    let line = refused(
        cautious.connect(HOST, server.port()),
        ErrorKind::Certificate,
    );
    assert!(line.contains("give the root certificate"), "{line}");

    // An address that the certificate does not have.
    let settings = ServerSettings {
        identity: authority().issue(&[HOST]),
        ..settings(Protocol::Tls13)
    };
    let server = listen(Server::new(Library::OpenSsl, &settings));
    let result = client::<B>().connect("127.0.0.1", server.port());
    let line = refused(result, ErrorKind::Certificate);
    assert!(line.contains("check the host name"), "{line}");
}

pub(crate) fn servers_that_misbehave<B: Backend>() {
    for (behaviour, kind, says) in [
        (Behaviour::CloseAfterHello, ErrorKind::Closed, "closed"),
        (Behaviour::Silent, ErrorKind::Timeout, "timeout"),
        (Behaviour::PlainText, ErrorKind::Handshake, "not TLS"),
    ] {
        let client = builder::<B>().timeout(Duration::from_millis(300)).build();
        let client = client.expect("valid settings");
        // Time enough for the good server.
        let patient = self::client::<B>();
        in_between(&patient, || {
            let server = TcpServer::start_with(good_server(Protocol::Tls13), behaviour);
            let server = server.expect("a free port");
            let client = if behaviour == Behaviour::Silent {
                &client
            } else {
                &patient
            };
            let line = refused(client.connect(HOST, server.port()), kind);
            assert!(line.contains(says), "{line}");
            assert!(line.starts_with("localhost: "), "{line}");
        });
    }
}

/// The timeout is for the whole handshake: each read of this one is fast enough.
pub(crate) fn a_server_that_drips_is_timed_out<B: Backend>() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let given_up = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut tcp, _) = listener.accept().expect("a client");
            let step = Some(Duration::from_millis(20));
            tcp.set_read_timeout(step).expect("a timeout");
            // A record that is longer than it will ever get: in the end it is cut off.
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
        refused(result, ErrorKind::Timeout);
    });
}

/// A transport that ends after so many reads, in one way or another.
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

pub(crate) fn a_handshake_that_is_cut_off<B: Backend>() {
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
                // Another port: what fails is not to take the good server's sessions with it.
                refused(client.connect_stream(HOST, PORT + 1, io), kind);
            }
        }
        let mut cut = InMemory::new(&server);
        cut.cut();
        let result = client.connect_stream(HOST, PORT + 1, Memory(cut));
        refused(result, ErrorKind::Closed);
        let after = visit_in_memory(&client, &server);
        assert_eq!(after.resumption(), Resumption::Resumed);

        // R9, R7: on the very server, the next connection works, and the one after it resumes.
        let io = Cut {
            memory: InMemory::new(&server),
            reads: 0,
            error: None,
        };
        refused(client.connect_stream(HOST, PORT, io), ErrorKind::Closed);
        assert_eq!(client.stats().failed, 1, "{library} {version:?}");
        visit_in_memory(&client, &server);
        let after = visit_in_memory(&client, &server);
        assert_eq!(after.resumption(), Resumption::Resumed);
    });
}

/// It takes nothing and fails at nothing.
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

/// Nothing comes of it, but not for ever.
pub(crate) fn a_transport_that_takes_nothing<B: Backend>() {
    let client = client::<B>();
    in_between(&client, || {
        refused(client.connect_stream(HOST, PORT, Full), ErrorKind::Closed);
    });
}
