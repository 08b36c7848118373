//! Servers and their certificates.

use std::sync::OnceLock;
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;

/// The name of the servers.
pub(crate) const HOST: &str = "localhost";
/// Another name on their certificates.
pub(crate) const OTHER: &str = "other.lab.example";
/// The port of servers without a socket.
pub(crate) const PORT: u16 = 443;
/// A timeout that only a failing test reaches.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// The issuer of the servers' certificates.
pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyKind::EcdsaP256))
}

/// A server's settings, for one version.
pub(crate) fn settings(version: Protocol) -> ServerSettings {
    ServerSettings {
        protocols: vec![version],
        ..ServerSettings::new(authority().issue(&[HOST, OTHER, "127.0.0.1"]))
    }
}

pub(crate) fn server(library: Library, version: Protocol) -> Server {
    Server::new(library, &settings(version))
}

/// A server for tests that are about the client alone.
pub(crate) fn good_server(version: Protocol) -> Server {
    server(Library::Rustls, version)
}

/// An OpenSSL server that asks for client certificates and has no session-id context: it ends each
/// handshake in which a session is offered with `internal_error`.
pub(crate) fn server_without_context(version: Protocol) -> TcpServer {
    server_without_context_with(version, settings(version).tickets)
}

/// As [`server_without_context`], with so many tickets.
pub(crate) fn server_without_context_with(version: Protocol, tickets: usize) -> TcpServer {
    let mut settings = ServerSettings {
        tickets,
        ..settings(version)
    };
    settings.client_root = Some(authority().root_der());
    settings.openssl.no_session_id_context = true;
    listen(Server::new(Library::OpenSsl, &settings))
}

pub(crate) fn listen(server: Server) -> TcpServer {
    TcpServer::start(server).expect("a free port")
}

/// Calls `test` with every server library and version.
pub(crate) fn each(mut test: impl FnMut(Library, Protocol)) {
    for library in Library::ALL {
        for version in Protocol::ALL {
            test(library, version);
        }
    }
}

/// Calls `test` with every version, at the same time: for tests that wait for deadlines.
pub(crate) fn each_version_at_once(test: impl Fn(Protocol) + Sync) {
    std::thread::scope(|scope| {
        for version in Protocol::ALL {
            let test = &test;
            scope.spawn(move || test(version));
        }
    });
}

/// Runs an asynchronous test on several threads, between which its futures may move.
#[cfg(feature = "tokio")]
pub(crate) fn run(test: impl Future<Output = ()> + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let ended =
        runtime.block_on(async { tokio::time::timeout(6 * LONG, tokio::spawn(test)).await });
    ended.expect("an end").expect("no panic");
}
