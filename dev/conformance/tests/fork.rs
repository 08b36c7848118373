//! R7, across a fork: what a process has put is not used by its child. The only test of its
//! program, so that no other thread holds a lock at the fork.

use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{Backend, Resumption};

/// What the child's exit code says of its handshakes.
const FULL_THEN_RESUMED: i32 = 42;

fn visit<B: Backend>(connector: &Connector<B>, port: u16) -> Option<Resumption> {
    let mut stream = connector.connect("localhost", port).ok()?;
    stream.wait_for_tickets(Duration::from_secs(5)).ok()?;
    let resumption = stream.resumption();
    stream.close().ok()?;
    Some(resumption)
}

fn a_child_starts_with_nothing<B: Backend>(server: &TcpServer, authority: &Authority) {
    let connector = Connector::<B>::builder()
        .roots([authority.root_der()])
        .build()
        .expect("valid settings");
    let port = server.port();
    assert_eq!(visit(&connector, port), Some(Resumption::Full));

    // SAFETY: the child calls what a forked process of several threads may not be able to: the
    // threads of this program that exist are the test's own and the server's, which hold no lock
    // of the store, of the TLS libraries' clients or of the allocator (glibc sees to that one).
    let child = unsafe { libc::fork() };
    if child == 0 {
        let seen = (visit(&connector, port), visit(&connector, port));
        let expected = (Some(Resumption::Full), Some(Resumption::Resumed));
        let code = if seen == expected {
            FULL_THEN_RESUMED
        } else {
            1
        };
        // SAFETY: ends the child at once; nothing of the parent's is run at its exit.
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
    // The parent still has its own.
    assert_eq!(visit(&connector, port), Some(Resumption::Resumed));
}

#[test]
fn children_start_with_nothing() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    for protocol in Protocol::ALL {
        let mut settings = ServerSettings::new(authority.issue(&["localhost"]));
        settings.protocols = vec![protocol];
        let server = Server::new(Library::Rustls, &settings);
        let server = TcpServer::start(server).expect("a port on loopback");
        a_child_starts_with_nothing::<Rustls>(&server, &authority);
        a_child_starts_with_nothing::<OpenSsl>(&server, &authority);
        a_child_starts_with_nothing::<RustlsPreview>(&server, &authority);
    }
}
