//! Servers that make handshakes fail, with an offered session or always: the next connection
//! succeeds.

use std::io::Read;

use lab::faults::{Fault, FaultyTicketer, FaultyTransport};
use lab::server::{Library, Protocol, Server};
use tls_resume::{Backend, ErrorKind, Resumption};

use super::fixture::{Fixture, server, server_with};
use super::on_each_backend;

/// Suites with `ChaCha20`, which neither end prefers.
const OTHER_CIPHERS: [(Protocol, u16); 2] = [(Protocol::Tls12, 0xcca9), (Protocol::Tls13, 0x1303)];

on_each_backend!(
    a_corrupted_resumption_fails_once,
    a_cut_resumption_fails_once,
    a_resumption_with_another_cipher_fails_once,
    closing_on_an_offered_session_fails_once,
    a_false_acceptance_fails_once,
    an_acceptance_in_an_older_version_fails_once,
    a_ticket_for_another_secret_fails_once,
    closing_after_the_hello_harms_nothing,
    garbage_after_the_handshake_harms_nothing,
    fails_once_with_two_tickets,
);

/// A server that sends one ticket, so that one session can fail.
fn one_ticket(library: Library, protocol: Protocol) -> Server {
    server(library, protocol, |settings| settings.tickets = 1)
}

/// Resumes with a correct server. Then one handshake with the fault fails, and the next one, with
/// the same fault, succeeds.
fn fails_once<B: Backend>(correct: &Server, faulty: &Server, fault: Fault) {
    let what = format!("{fault:?} by {faulty:?}");
    let fixture = Fixture::<B>::new();
    fixture.visit(correct).is(Resumption::Full);
    fixture.visit(correct).is(Resumption::Resumed);
    let transport = || FaultyTransport::on_resumption(faulty, fault);
    let stats = fixture.counted(|| {
        fixture.fail(transport());
    });
    assert_eq!((stats.offered, stats.failed), (1, 1), "{what}");
    assert_eq!(stats.taken + stats.removed, 1, "removed: {what}");
    fixture.assert_unharmed();
    let next = fixture.visit_over(transport());
    next.unwrap_or_else(|error| panic!("failed again: {error}: {what}"))
        .is(Resumption::Full);
    fixture.assert_unharmed();
}

fn fails_once_everywhere<B: Backend>(fault: Fault) {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let server = one_ticket(library, protocol);
            fails_once::<B>(&server, &server, fault);
        }
    }
}

/// The server accepts the session, and its first encrypted record is wrong.
fn a_corrupted_resumption_fails_once<B: Backend>() {
    fails_once_everywhere::<B>(Fault::Corrupt);
}

/// The server accepts the session, and then closes.
fn a_cut_resumption_fails_once<B: Backend>() {
    fails_once_everywhere::<B>(Fault::CloseAfterServerHello);
}

/// The server accepts the session with another cipher suite than the session's.
fn a_resumption_with_another_cipher_fails_once<B: Backend>() {
    for library in Library::ALL {
        for (protocol, cipher) in OTHER_CIPHERS {
            let server = one_ticket(library, protocol);
            fails_once::<B>(&server, &server, Fault::OtherCipher(cipher));
        }
    }
}

/// The server closes when the client offers a session.
fn closing_on_an_offered_session_fails_once<B: Backend>() {
    fails_once_everywhere::<B>(Fault::CloseAfterClientHello);
}

/// The server's session id accepts the session, and a full handshake of TLS 1.2 follows.
fn a_false_acceptance_fails_once<B: Backend>() {
    for library in Library::ALL {
        let [correct, faulty] = [(); 2].map(|()| one_ticket(library, Protocol::Tls12));
        fails_once::<B>(&correct, &faulty, Fault::EchoedId);
    }
}

/// The server accepts a session of TLS 1.3 in TLS 1.2, by the id that OpenSSL gives it.
fn an_acceptance_in_an_older_version_fails_once<B: Backend>() {
    for library in Library::ALL {
        let [old, new] = Protocol::ALL.map(|protocol| one_ticket(library, protocol));
        fails_once::<B>(&new, &old, Fault::EchoedId);
    }
}

/// All tickets are the same, and stand for a session with another secret: no two handshakes in a
/// row fail, and after two the server is avoided.
fn a_ticket_for_another_secret_fails_once<B: Backend>() {
    let tickets = FaultyTicketer::new().same_ticket_for_first();
    let same = server_with(Protocol::Tls13, tickets);
    let fixture = Fixture::<B>::new();
    let stats = fixture.counted(|| {
        fixture.visit(&same).is(Resumption::Full);
        fixture.visit(&same).is(Resumption::Resumed);
        for _ in 0..2 {
            let error = fixture.fail(FaultyTransport::new(&same, Fault::None));
            assert_eq!(error.kind(), ErrorKind::Handshake, "{error}");
            fixture.visit(&same).is(Resumption::Full);
        }
        for _ in 0..3 {
            fixture.visit(&same).is(Resumption::Full);
        }
    });
    assert_eq!((stats.resumed, stats.failed), (1, 2));
    assert!(stats.avoided >= 3, "{stats:?}");
    fixture.assert_unharmed();
}

/// An overloaded server closes each connection after the `ClientHello`. Afterwards, handshakes
/// succeed and resume.
fn closing_after_the_hello_harms_nothing<B: Backend>() {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let server = server(library, protocol, |_| {});
            let fixture = Fixture::<B>::new();
            fixture.visit(&server).is(Resumption::Full);
            let stats = fixture.counted(|| {
                for _ in 0..5 {
                    let transport = FaultyTransport::new(&server, Fault::CloseAfterClientHello);
                    let error = fixture.fail(transport);
                    assert_eq!(error.kind(), ErrorKind::Closed, "{library} {protocol}");
                }
            });
            assert!(stats.failed >= 1, "{library} {protocol}: {stats:?}");
            assert_eq!(stats.failed, stats.offered, "{library} {protocol}");
            fixture.assert_unharmed();
            fixture.visit(&server);
            fixture.visit(&server).is(Resumption::Resumed);
        }
    }
}

/// A record that cannot be decrypted arrives among the tickets: the connection fails, and the
/// sessions stored before are resumed.
fn garbage_after_the_handshake_harms_nothing<B: Backend>() {
    for protocol in Protocol::ALL {
        // OpenSSL sends each ticket in a record of its own.
        let server = server(Library::OpenSsl, protocol, |_| {});
        let fixture = Fixture::<B>::new();
        let stats = fixture.counted(|| {
            let transport = FaultyTransport::new(&server, Fault::GarbageAfterHandshake);
            let mut connection = fixture.open(transport).expect("the handshake succeeds");
            if protocol == Protocol::Tls13 {
                connection.read_tickets().expect_err("garbage arrives");
            }
            connection
                .0
                .read(&mut [0])
                .expect_err("the connection has failed");
        });
        assert_eq!(
            stats.stored, 1,
            "{protocol}: the session before the garbage"
        );
        assert_eq!(stats.failed, 0, "{protocol}: the handshake succeeded");
        fixture.assert_unharmed();
        fixture.visit(&server).is(Resumption::Resumed);
        fixture.assert_unharmed();
    }
}

/// With several sessions of one server, too.
fn fails_once_with_two_tickets<B: Backend>() {
    for library in Library::ALL {
        let server = server(library, Protocol::Tls13, |_| {});
        let fixture = Fixture::<B>::new();
        fixture.visit(&server).is(Resumption::Full);
        let transport = || FaultyTransport::on_resumption(&server, Fault::Corrupt);
        fixture.fail(transport());
        let next = fixture.visit_over(transport());
        assert!(next.is_ok(), "{library}: failed again: {next:?}");
    }
}
