//! R28: servers that fail a resumption late, or by another machine.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use lab::certificate::{Authority, KeyKind};
use lab::client_hello::ClientHello;
use lab::faults::{Fault, FaultyProxy};
use lab::server::{Library, Protocol, Server, ServerSettings};

use super::client::{Door, hold};
use crate::blocking::clients::builder;
use crate::servers::{HOST, each, listen, settings};

/// How each of `count` connections ended.
fn failures<D: Door>(door: &D, port: u16, count: usize) -> Vec<usize> {
    let fails = |_: &usize| !matches!(door.try_visit(port), Ok(Ok(_)));
    (0..count).filter(fails).collect()
}

fn is_wrong(failed: &[usize]) -> bool {
    let twice = failed.windows(2).any(|pair| pair[1] == pair[0] + 1);
    twice || failed.len() > 3
}

/// The server, or a middlebox, ends the connection without an alert when it has the client's `Finished`.
pub(crate) fn a_resumption_that_is_closed_late_fails_never_twice_in_a_row<D: Door>() {
    let mut wrong = Vec::new();
    each(|library, version| {
        let server = listen(Server::new(
            library,
            &ServerSettings {
                tickets: 8,
                ..settings(version)
            },
        ));
        let proxy = FaultyProxy::start(server.address()).expect("a port");
        let door = D::new(builder().build().expect("valid settings"));
        hold(door.connector(), proxy.port(), 2);
        proxy.set_fault_on_resumption(Fault::LateClose);
        let failed = failures(&door, proxy.port(), 20);
        if is_wrong(&failed) {
            wrong.push(format!("{library} {version}: {failed:?}"));
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Forwards connections that offer a session to one server, and others to another, as a load balancer
/// does that keeps clients by their session.
fn balance(fresh: SocketAddr, resumed: SocketAddr) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { continue };
            thread::spawn(move || forward(client, fresh, resumed));
        }
    });
    port
}

fn forward(mut client: TcpStream, fresh: SocketAddr, resumed: SocketAddr) -> io::Result<()> {
    let (mut hello, mut bytes) = (Vec::new(), [0; 4096]);
    let address = loop {
        let length = client.read(&mut bytes)?;
        if length == 0 {
            return Ok(());
        }
        hello.extend_from_slice(&bytes[..length]);
        if let Ok(parsed) = ClientHello::parse(&hello) {
            break if parsed.offered().is_some() {
                resumed
            } else {
                fresh
            };
        }
    };
    let mut server = TcpStream::connect(address)?;
    server.write_all(&hello)?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut server, &mut client);
    client.shutdown(Shutdown::Both)
}

/// Connections that offer a session reach a machine whose certificate is not trusted.
pub(crate) fn a_wrong_certificate_on_resumption_fails_never_twice_in_a_row<D: Door>() {
    let stranger = Authority::new(KeyKind::EcdsaP256).issue(&[HOST]);
    let mut wrong = Vec::new();
    for version in Protocol::ALL {
        let trusted = listen(Server::new(
            Library::OpenSsl,
            &ServerSettings {
                tickets: 8,
                ..settings(version)
            },
        ));
        let other = listen(Server::new(
            Library::OpenSsl,
            &ServerSettings {
                identity: stranger.clone(),
                ..settings(version)
            },
        ));
        let port = balance(trusted.address(), other.address());
        let door = D::new(builder().build().expect("valid settings"));
        hold(door.connector(), port, 1);
        let failed = failures(&door, port, 20);
        if is_wrong(&failed) {
            wrong.push(format!("{version}: {failed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Each process makes one connection, without the retry, and leaves what it knows to the tier.
#[cfg(feature = "lmdb")]
pub(crate) fn short_processes_fail_never_twice_in_a_row<B: tls_resume::Shareable>() {
    use crate::blocking::clients::talk;
    use crate::servers::{LONG, PORT};
    use lab::faults::FaultyTransport;
    let mut wrong = Vec::new();
    for version in Protocol::ALL {
        let server = Server::new(
            Library::OpenSsl,
            &ServerSettings {
                tickets: 8,
                ..settings(version)
            },
        );
        for fault in [Fault::CloseAfterClientHello, Fault::Corrupt] {
            let place = tempfile::tempdir().expect("a temporary folder");
            let url = format!("lmdb:{}", place.path().join("sessions").display());
            let process = |fault| {
                let client = builder::<B>().store(url.clone()).store_timeout(LONG);
                let client = client.build().expect("a store");
                let io = FaultyTransport::on_resumption(&server, fault);
                let fails = match client.connect_stream(HOST, PORT, io) {
                    Ok(mut stream) => {
                        talk(&mut stream);
                        false
                    }
                    Err(_) => true,
                };
                assert!(client.flush(LONG));
                fails
            };
            for _ in 0..2 {
                assert!(!process(Fault::None));
            }
            let failed: Vec<usize> = (0..20).filter(|_| process(fault)).collect();
            if is_wrong(&failed) {
                wrong.push(format!("{version} {fault:?}: {failed:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Each connection that offers nothing is cancelled, and the next begins within a second.
#[cfg(feature = "tokio")]
pub(crate) fn cancelled_connections<B: tls_resume::tokio::Backend>() {
    use std::time::Duration;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut wrong = Vec::new();
    for version in Protocol::ALL {
        let server = listen(Server::new(
            Library::OpenSsl,
            &ServerSettings {
                tickets: 16,
                ..settings(version)
            },
        ));
        let proxy = FaultyProxy::start(server.address()).expect("a port");
        let client = builder::<B>()
            .retry_failed_resumption(false)
            .build()
            .expect("valid settings");
        hold(&client, proxy.port(), 2);
        // An offer that fails; then a connection to silence, which is cancelled.
        let mut offered = Vec::new();
        for n in 0..10 {
            let before = client.stats().failed;
            proxy.set_fault_on_resumption(Fault::CloseAfterClientHello);
            let connected = runtime.block_on(client.tokio().connect(HOST, proxy.port()));
            if connected.is_err() && client.stats().failed > before {
                offered.push(n);
            }
            proxy.set_fault(Fault::Silence);
            runtime.block_on(async {
                let connecting = client.tokio();
                let connecting = connecting.connect(HOST, proxy.port());
                let _ = tokio::time::timeout(Duration::from_millis(100), connecting).await;
            });
        }
        if offered.len() > 3 {
            wrong.push(format!("{version}: {offered:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
