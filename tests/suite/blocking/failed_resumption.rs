//! R28, R31: failures over a transport of the caller's, and of early data. `doors` has those of other
//! connections that the library makes.

use std::io::{Read, Write};

use lab::certificate::{Authority, KeyKind};
use lab::faults::{Fault, FaultyProxy, FaultyTransport};
use lab::server::{Library, Protocol, Server, ServerSettings};
use tls_resume::{Backend, ErrorKind, Resumption};

use super::clients::{builder, talk};
use crate::servers::{HOST, PORT, each, listen, server, settings};

/// R28: whatever breaks, never twice in a row, and twice at most.
pub(crate) fn a_resumption_that_breaks_fails_never_twice_in_a_row<B: Backend>() {
    each(|library, version| {
        for fault in [
            Fault::CloseAfterClientHello,
            Fault::CloseAfterServerHello,
            Fault::OtherCipher(0x1303),
            Fault::Corrupt,
        ] {
            let server = Server::new(
                library,
                &ServerSettings {
                    tickets: 4,
                    ..settings(version)
                },
            );
            let client = builder::<B>().build().expect("valid settings");
            // Many sessions are held.
            for _ in 0..4 {
                let io = FaultyTransport::new(&server, Fault::None);
                let mut stream = client.connect_stream(HOST, PORT, io).expect("a handshake");
                talk(&mut stream);
            }
            let (mut failures, mut in_a_row) = (0, 0);
            for _ in 0..20 {
                let io = FaultyTransport::on_resumption(&server, fault);
                match client.connect_stream(HOST, PORT, io) {
                    Ok(mut stream) => {
                        in_a_row = 0;
                        talk(&mut stream);
                    }
                    Err(error) => {
                        in_a_row += 1;
                        failures += 1;
                        assert!(error.offered_session(), "{error}");
                    }
                }
                assert!(in_a_row < 2, "{library} {version} {fault:?}");
            }
            assert!(
                (1..=2).contains(&failures),
                "{failures}: {library} {version} {fault:?}"
            );
        }
    });
}

/// R28: a resumed connection that the server rejects by its first answer counts, too.
pub(crate) fn a_resumption_that_is_rejected_late_fails_never_twice_in_a_row<B: Backend>() {
    each(|library, version| {
        let many = ServerSettings {
            tickets: 4,
            ..settings(version)
        };
        let server = Server::new(library, &many);
        let client = builder::<B>().build().expect("valid settings");
        for _ in 0..4 {
            let io = FaultyTransport::new(&server, Fault::None);
            talk(&mut client.connect_stream(HOST, PORT, io).expect("a handshake"));
        }
        let mut failed = Vec::new();
        for connection in 0..20 {
            let io = FaultyTransport::on_resumption(&server, Fault::LateAlert);
            let mut stream = client.connect_stream(HOST, PORT, io).expect("a handshake");
            let mut echo = [0; 1];
            let talked = stream
                .write_all(b"a")
                .and_then(|()| stream.read_exact(&mut echo));
            if talked.is_err() {
                assert_eq!(
                    stream.resumption(),
                    Resumption::Resumed,
                    "{library} {version}"
                );
                failed.push(connection);
            }
        }
        assert_eq!(failed, [0, 2], "{library} {version}");
    });
}

/// R31: a failed transport takes one session, and the next connection makes a full handshake.
pub(crate) fn a_failed_transport_spares_the_other_sessions<B: Backend>() {
    let server = Server::new(
        Library::OpenSsl,
        &ServerSettings {
            tickets: 8,
            ..settings(Protocol::Tls13)
        },
    );
    let client = builder::<B>().build().expect("valid settings");
    let connect = |fault| {
        let io = FaultyTransport::new(&server, fault);
        client.connect_stream(HOST, PORT, io)
    };
    talk(&mut connect(Fault::None).expect("a handshake"));
    let held = client.stats().sessions;
    connect(Fault::CloseAfterClientHello).expect_err("closed");
    assert_eq!(client.stats().sessions, held - 1);
    let mut resumed = 0;
    for _ in 0..8 {
        let stream = connect(Fault::None).expect("a handshake");
        resumed += u32::from(stream.resumption() == Resumption::Resumed);
    }
    assert_eq!(resumed, 7);
}

/// R31: a certificate that is not accepted blames no session. The next connection offers nothing,
/// since a load balancer may choose the machine by the session.
pub(crate) fn a_bad_certificate_blames_no_session<B: Backend>() {
    let trusted = server(Library::OpenSsl, Protocol::Tls13);
    let client = builder::<B>().build().expect("valid settings");
    let connect = |server: &Server| {
        let io = FaultyTransport::new(server, Fault::None);
        client.connect_stream(HOST, PORT, io)
    };
    talk(&mut connect(&trusted).expect("a handshake"));
    let stranger = Authority::new(KeyKind::EcdsaP256);
    let strange = Server::new(
        Library::OpenSsl,
        &ServerSettings::new(stranger.issue(&[HOST])),
    );
    let error = connect(&strange).expect_err("not trusted");
    assert_eq!(error.kind(), ErrorKind::Certificate);
    assert!(error.offered_session(), "{error}");
    let stats = client.stats();
    assert_eq!((stats.failed, stats.cancelled), (0, 1), "{stats:?}");
    let held = stats.sessions;
    let stream = connect(&trusted).expect("a handshake");
    assert_eq!(stream.resumption(), Resumption::Full);
    assert!(client.stats().sessions >= held);
    let stream = connect(&trusted).expect("a handshake");
    assert_eq!(stream.resumption(), Resumption::Resumed);
}

/// R30: a handshake that may have sent early data is not made again.
pub(crate) fn early_data_is_not_sent_again<B: Backend>() {
    for library in Library::ALL {
        let server = listen(Server::new(
            library,
            &ServerSettings {
                max_early_data: 1024,
                ..settings(Protocol::Tls13)
            },
        ));
        let proxy = FaultyProxy::start(server.address()).expect("a port");
        let client = builder::<B>().early_data(true).build();
        let client = client.expect("valid settings");
        let mut stream = client.connect(HOST, proxy.port()).expect("a connection");
        talk(&mut stream);
        proxy.set_fault_on_resumption(Fault::CloseAfterClientHello);
        let error = client.connect_early(HOST, proxy.port(), b"GET /");
        let error = error.expect_err("closed");
        assert!(error.offered_session() && !error.retried(), "{error}");
        assert_eq!((proxy.connections(), client.stats().retried), (2, 0));
    }
}
