//! R7, across a fork: a child does not use the sessions of its parent. A binary of its own with one
//! test, so that no other thread holds a lock at the fork.

use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{Backend, Resumption};

/// The child's exit code if its first handshake is full and its second is resumed.
const FULL_THEN_RESUMED: i32 = 42;

fn visit<B: Backend>(connector: &Connector<B>, port: u16) -> Option<Resumption> {
    let mut stream = connector.connect("localhost", port).ok()?;
    stream.wait_for_tickets(Duration::from_secs(5)).ok()?;
    let resumption = stream.resumption();
    stream.close().ok()?;
    Some(resumption)
}

fn a_child_has_no_sessions<B: Backend>(server: &TcpServer, authority: &Authority) {
    let connector = Connector::<B>::builder()
        .roots([authority.root_der()])
        .build()
        .expect("valid settings");
    let port = server.port();
    assert_eq!(visit(&connector, port), Some(Resumption::Full));

    // SAFETY: the child uses locks that another thread could have held at the fork. The other
    // threads are the test harness's and the server's, which hold no lock of the store, of the TLS
    // libraries' clients or of the allocator (glibc releases that one).
    let child = unsafe { libc::fork() };
    if child == 0 {
        let resumptions = (visit(&connector, port), visit(&connector, port));
        let expected = (Some(Resumption::Full), Some(Resumption::Resumed));
        let code = if resumptions == expected {
            FULL_THEN_RESUMED
        } else {
            1
        };
        // SAFETY: ends the child at once, without the exit handlers of the parent.
        unsafe { libc::_exit(code) }
    }
    assert!(child > 0, "fork: {}", std::io::Error::last_os_error());

    let mut status = 0;
    // SAFETY: waits for the child made above, into a live variable.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    assert!(
        libc::WIFEXITED(status),
        "the child did not end by itself: {status}"
    );
    assert_eq!(libc::WEXITSTATUS(status), FULL_THEN_RESUMED);
    // The parent still has its sessions.
    assert_eq!(visit(&connector, port), Some(Resumption::Resumed));
}

#[test]
fn children_do_not_use_their_parents_sessions() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    for protocol in Protocol::ALL {
        let mut settings = ServerSettings::new(authority.issue(&["localhost"]));
        settings.protocols = vec![protocol];
        let server = Server::new(Library::Rustls, &settings);
        let server = TcpServer::start(server).expect("a port on loopback");
        a_child_has_no_sessions::<Rustls>(&server, &authority);
        a_child_has_no_sessions::<OpenSsl>(&server, &authority);
        a_child_has_no_sessions::<RustlsPreview>(&server, &authority);
    }
}
