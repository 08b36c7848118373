//! R28 to R31: servers that fail when a session is offered.

use std::io::{Read, Write};

use lab::certificate::{Authority, KeyKind};
use lab::faults::{Fault, FaultyTransport};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::{Alert, Backend, ErrorKind, Resumption};

use super::clients::{builder, talk};
use crate::servers::{HOST, PORT, each, listen, server, settings};

/// An OpenSSL server that asks for client certificates and has no session-id context: it ends each
/// handshake in which a session is offered.
pub(super) fn server_without_context(version: Protocol) -> TcpServer {
    let mut settings = settings(version);
    settings.openssl.no_session_id_context = true;
    listen(Server::new(Library::OpenSsl, &settings))
}

/// R30: no error, and after the first failure no offer.
pub(crate) fn a_failed_resumption_is_retried<B: Backend>() {
    for version in Protocol::ALL {
        let server = server_without_context(version);
        let client = builder::<B>().build().expect("valid settings");
        let mut retried = 0;
        for _ in 0..20 {
            let mut stream = client.connect(HOST, server.port()).expect("no error");
            assert_eq!(stream.resumption(), Resumption::Full);
            retried += u32::from(stream.retried());
            talk(&mut stream);
            stream.close().expect("closed");
        }
        let stats = client.stats();
        assert_eq!((retried, stats.retried), (1, 1), "{version}: {stats:?}");
        assert_eq!(
            (stats.failed, stats.avoided),
            (1, 18),
            "{version}: {stats:?}"
        );
    }
}

/// R29: without the retry, one error.
pub(crate) fn a_server_that_fails_on_resumption_fails_once<B: Backend>() {
    for version in Protocol::ALL {
        let server = server_without_context(version);
        let client = builder::<B>().retry_failed_resumption(false).build();
        let client = client.expect("valid settings");
        let mut errors = Vec::new();
        for _ in 0..20 {
            match client.connect(HOST, server.port()) {
                Ok(mut stream) => talk(&mut stream),
                Err(error) => errors.push(error),
            }
        }
        let [error] = errors.as_slice() else {
            panic!("{version}: {errors:?}");
        };
        assert_eq!(error.kind(), ErrorKind::Handshake, "{error}");
        assert_eq!(error.alert(), Some(Alert::Received(80)), "{error}"); // internal_error
        assert!(error.offered_session() && !error.retried(), "{error}");
    }
}

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

/// R31: a certificate that is not accepted blames no session.
pub(crate) fn a_bad_certificate_blames_no_session<B: Backend>() {
    let good = server(Library::OpenSsl, Protocol::Tls13);
    let client = builder::<B>().build().expect("valid settings");
    let connect = |server: &Server| {
        let io = FaultyTransport::new(server, Fault::None);
        client.connect_stream(HOST, PORT, io)
    };
    talk(&mut connect(&good).expect("a handshake"));
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
    let stream = connect(&good).expect("a handshake");
    assert_eq!(stream.resumption(), Resumption::Resumed);
}
