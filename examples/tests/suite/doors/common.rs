//! Shared by the tests: servers that break resumptions, clients that trust them, and the count of
//! connections that fail.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use examples::serve::HttpsServer;
use lab::certificate::{Authority, KeyKind};
use lab::faults::{Fault, FaultyProxy};
use lab::server::{Library, Protocol, Server, ServerSettings};
use tls_resume::generic::{Connector, ConnectorBuilder};
use tls_resume::{Backend, Clock, ManualClock, SystemClock};

/// What breaks a resumption.
pub(crate) const FAULTS: [Fault; 4] = [
    Fault::CloseAfterClientHello,
    Fault::CloseAfterServerHello,
    Fault::OtherCipher(0x1303),
    Fault::Corrupt,
];

pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyKind::EcdsaP256))
}

pub(crate) fn settings(protocol: Protocol) -> ServerSettings {
    ServerSettings {
        protocols: vec![protocol],
        ..ServerSettings::new(authority().issue(&["localhost"]))
    }
}

/// How many connections to [`correct_server`] on rustls bring as many tickets as a client holds.
pub(crate) const CONNECTIONS_FOR_ALL_TICKETS: usize = 3;

/// A correct server that sends many tickets; on rustls, on resumed connections, too.
pub(crate) fn correct_server(library: Library, protocol: Protocol) -> Server {
    let settings = ServerSettings {
        tickets: 24,
        ..settings(protocol)
    };
    Server::new(library, &settings)
}

/// An OpenSSL server that asks for client certificates and has no session-id context: it ends each
/// handshake in which a session is offered with `internal_error`.
pub(crate) fn server_without_context(protocol: Protocol) -> Server {
    let mut settings = settings(protocol);
    settings.client_root = Some(authority().root_der());
    settings.openssl.no_session_id_context = true;
    Server::new(Library::OpenSsl, &settings)
}

/// A server with HTTP behind a proxy that injects faults.
pub(crate) fn https_behind_proxy(server: Server) -> (HttpsServer, FaultyProxy) {
    let server = HttpsServer::start_on(authority(), server).expect("a server");
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    (server, FaultyProxy::start(address).expect("a port"))
}

/// A [`server_without_context`] with HTTP.
pub(crate) fn https_server_without_context(protocol: Protocol) -> HttpsServer {
    let server = server_without_context(protocol);
    HttpsServer::start_on(authority(), server).expect("a server")
}

/// A client with or without a certificate.
pub(crate) fn builder<B: Backend>(has_certificate: bool) -> ConnectorBuilder<B> {
    let builder = Connector::builder().roots([authority().root_der()]);
    if !has_certificate {
        return builder;
    }
    let identity = authority().issue_client("client.lab.example");
    builder.client_certificate(identity.chain, identity.key)
}

/// With each version, with and without a client certificate.
pub(crate) fn each(mut test: impl FnMut(Protocol, bool)) {
    for protocol in Protocol::ALL {
        for has_certificate in [false, true] {
            test(protocol, has_certificate);
        }
    }
}

/// A clock that only the test moves.
pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(SystemClock.now()))
}

/// The connections of `count` that fail. Never two in a row.
pub(crate) fn failures<E: Debug>(
    count: usize,
    mut connect: impl FnMut() -> Result<(), E>,
) -> usize {
    let (mut failures, mut before) = (0, None);
    for _ in 0..count {
        let error = connect().err();
        failures += usize::from(error.is_some());
        assert!(
            before.is_none() || error.is_none(),
            "two failures in a row: {before:?}, {error:?}"
        );
        before = error;
    }
    failures
}

/// The connections that fail of 80, one every 250 ms of the clock. Never two in a row, and two at
/// most.
pub(crate) fn assert_at_most_two_fail<E: Debug>(
    clock: &ManualClock,
    mut connect: impl FnMut() -> Result<(), E>,
) {
    let failures = failures(80, || {
        clock.advance(Duration::from_millis(250));
        connect()
    });
    assert!((1..=2).contains(&failures), "{failures}");
}
