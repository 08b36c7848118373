//! What depends on when something happens: tickets that come from far, a burst, a farewell.

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

use crate::support::{Trust, assert_code};

/// One way, between a client and a server on other continents.
const FAR: Duration = Duration::from_millis(120);

#[test]
fn tickets_from_far_are_waited_for() {
    let trust = Trust::new();
    let server = trust.serve(Library::OpenSsl);
    let reports = trust.ask(far_away(server.port()), |options| {
        options.connections = Some(2);
        options.tls = Some(Protocol::Tls13);
    });
    assert_code(&reports, Code::Resumes);
    for report in &reports {
        assert_eq!(report.connections[0].tickets, 2);
    }
}

#[test]
fn nobody_in_a_burst_uses_what_another_one_brought() {
    let trust = Trust::new();
    for library in Library::ALL {
        let server = trust.serve(library);
        for _ in 0..4 {
            let reports = trust.ask(server.port(), |options| {
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

/// OpenSSL drops a session from its cache with a connection that ends without a farewell, as its
/// applications do if they take no care.
#[test]
fn a_ticket_outlives_its_connection_at_a_server_that_keeps_sessions() {
    let trust = Trust::new();
    let port = forgetful(&trust);
    let reports = trust.ask(port, |options| options.tls = Some(Protocol::Tls13));
    for report in reports {
        let asked = report.twice.map(|row| (row.first, row.second, row.error));
        let possible = report.backend != Backend::Rustls;
        assert_eq!(
            asked,
            possible.then_some((true, false, None)),
            "{}",
            report.backend
        );
    }
}

/// A server on OpenSSL that allows early data, so that it keeps its sessions and takes each once.
fn forgetful(trust: &Trust) -> u16 {
    let identity = trust.identity();
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
            let _ = stream.shutdown(); // a client that says nothing is told nothing
        }
        Ok(())
    })
}

/// A way to a server of this machine that is as long as if it were far away.
fn far_away(port: u16) -> u16 {
    each_connection(move |client| {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        for (from, to) in [(&client, &server), (&server, &client)] {
            to.set_nodelay(true)?;
            let (from, to) = (from.try_clone()?, to.try_clone()?);
            thread::spawn(move || carry(from, to));
        }
        Ok(())
    })
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (arrives, bytes) in receiver {
            thread::sleep(arrives.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Write); // it may be gone already
    });
    let mut buffer = [0; 4_096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if sender
            .send((Instant::now() + FAR, buffer[..length].to_vec()))
            .is_err()
        {
            return;
        }
    }
}

/// A listener that does this with each connection, in a thread of its own.
fn each_connection(serve: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let serve = serve.clone();
            // A connection that breaks is the client's affair.
            thread::spawn(move || client.and_then(serve));
        }
    });
    port
}
