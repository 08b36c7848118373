//! Timing: tickets from a distant server, bursts, how connections end.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use lab::server::{Library, Protocol};
use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod, SslSessionCacheMode};
use openssl::x509::X509;
use probe::{Backend, Code};

use crate::support::{Lab, assert_code};

/// The delay one way between continents.
const DELAY: Duration = Duration::from_millis(120);

#[test]
fn tickets_of_a_distant_server_are_waited_for() {
    let lab = Lab::new();
    let server = lab.serve(Library::OpenSsl);
    let reports = lab.probe(delayed(server.port()), |options| {
        options.connections = Some(2);
        options.tls = Some(Protocol::Tls13);
    });
    assert_code(&reports, Code::Resumes);
    for report in &reports {
        assert_eq!(report.connections[0].tickets, 2);
    }
}

#[test]
fn no_connection_of_a_burst_uses_a_ticket_of_another() {
    let lab = Lab::new();
    for library in Library::ALL {
        let server = lab.serve(library);
        for _ in 0..4 {
            let reports = lab.probe(server.port(), |options| {
                options.concurrency = 16;
                options.tls = Some(Protocol::Tls13);
            });
            assert_code(&reports, Code::TicketsUsedUp);
            for report in &reports {
                let burst = report.burst.as_ref().unwrap();
                assert_eq!((burst.resumed, burst.used_up), (2, 14), "{burst:?}");
            }
        }
    }
}

/// OpenSSL removes a session from its cache if the connection ends without `close_notify`.
#[test]
fn a_ticket_outlives_its_connection_at_a_server_that_keeps_sessions() {
    let lab = Lab::new();
    let port = strict_openssl(&lab);
    let reports = lab.probe(port, |options| options.tls = Some(Protocol::Tls13));
    for report in reports {
        let twice = report.twice.map(|row| (row.first, row.second, row.error));
        let possible = report.backend != Backend::Rustls;
        assert_eq!(
            twice,
            possible.then_some((true, false, None)),
            "{}",
            report.backend
        );
    }
}

/// A server on OpenSSL that allows early data, so that it stores sessions and accepts each once. It
/// sends `close_notify` only in answer to the client's.
fn strict_openssl(lab: &Lab) -> u16 {
    let identity = lab.identity();
    let mut builder = SslAcceptor::mozilla_modern_v5(SslMethod::tls_server()).unwrap();
    let mut chain = X509::stack_from_pem(identity.chain_pem().as_bytes())
        .unwrap()
        .into_iter();
    builder.set_certificate(&chain.next().unwrap()).unwrap();
    for more in chain {
        builder.add_extra_chain_cert(more).unwrap();
    }
    let key = PKey::private_key_from_pem(identity.key_pem().as_bytes()).unwrap();
    builder.set_private_key(&key).unwrap();
    builder.set_session_id_context(b"probe").unwrap();
    builder.set_session_cache_mode(SslSessionCacheMode::SERVER);
    builder.set_max_early_data(1_024).unwrap();
    let acceptor = builder.build();
    each_connection(move |client| {
        let mut stream = acceptor.accept(client).map_err(io::Error::other)?;
        while stream.read(&mut [0; 64]).is_ok_and(|length| length > 0) {}
        if stream
            .get_shutdown()
            .contains(openssl::ssl::ShutdownState::RECEIVED)
        {
            let _ = stream.shutdown(); // the client may be gone
        }
        Ok(())
    })
}

/// A proxy that delays each byte by [`DELAY`].
fn delayed(port: u16) -> u16 {
    each_connection(move |client| {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        for (from, to) in [(&client, &server), (&server, &client)] {
            to.set_nodelay(true)?;
            let (from, to) = (from.try_clone()?, to.try_clone()?);
            thread::spawn(move || copy_delayed(from, to));
        }
        Ok(())
    })
}

fn copy_delayed(mut from: TcpStream, mut to: TcpStream) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Write); // the peer may be gone
    });
    let mut buffer = [0; 4_096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if sender
            .send((Instant::now() + DELAY, buffer[..length].to_vec()))
            .is_err()
        {
            return;
        }
    }
}

/// A listener that serves each connection in a thread of its own.
fn each_connection(serve: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let serve = serve.clone();
            // Errors are the client's to notice.
            thread::spawn(move || client.and_then(serve));
        }
    });
    port
}
