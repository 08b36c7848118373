//! Servers that break the handshake where a session is offered, and ones that break it anyway: after
//! one failure the next connection succeeds.

use std::io::Read;

use lab::faults::{Fault, FaultyTicketer, FaultyTransport};
use lab::server::{Library, Protocol, Server};
use tls_resume::{Backend, ErrorKind, Resumption};

use crate::on_each;
use crate::stage::{Stage, server, server_with};

/// Suites with `ChaCha20`, which nobody here prefers.
const OTHER_CIPHERS: [(Protocol, u16); 2] = [(Protocol::Tls12, 0xcca9), (Protocol::Tls13, 0x1303)];

on_each!(
    a_resumption_accepted_and_corrupted_fails_once,
    a_resumption_accepted_and_cut_fails_once,
    a_resumption_with_another_cipher_fails_once,
    a_server_that_hangs_up_on_resumption_fails_once,
    an_acceptance_that_is_a_lie_fails_once,
    an_acceptance_in_an_older_version_fails_once,
    a_ticket_for_another_secret_fails_once,
    closing_after_the_hello_harms_nothing,
    garbage_after_the_handshake_harms_nothing,
    fails_once_with_two_tickets,
);

/// One ticket a connection, so that there is one session to fail with.
fn one_ticket(library: Library, protocol: Protocol) -> Server {
    server(library, protocol, |settings| settings.tickets = 1)
}

/// Resumes without harm; then the harm breaks one handshake, and the next one, with the same
/// server doing the same, succeeds.
fn fails_once<B: Backend>(harmless: &Server, harmful: &Server, harm: Fault) {
    let what = format!("{harm:?} by {harmful:?}");
    let stage = Stage::<B>::new();
    stage.visit(harmless).is(Resumption::Full);
    stage.visit(harmless).is(Resumption::Resumed);
    let harmed = || FaultyTransport::on_resumption(harmful, harm);
    let stats = stage.counted(|| {
        stage.visit_in_vain(harmed());
    });
    assert_eq!((stats.offered, stats.failed), (1, 1), "{what}");
    assert_eq!(stats.taken + stats.removed, 1, "gone: {what}");
    stage.is_unharmed();
    let next = stage.visit_harmed(harmed());
    next.unwrap_or_else(|error| panic!("again: {error}: {what}"))
        .is(Resumption::Full);
    stage.is_unharmed();
}

fn fails_once_everywhere<B: Backend>(harm: Fault) {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let server = one_ticket(library, protocol);
            fails_once::<B>(&server, &server, harm);
        }
    }
}

/// The session is accepted, and then the server's first encrypted record is wrong.
fn a_resumption_accepted_and_corrupted_fails_once<B: Backend>() {
    fails_once_everywhere::<B>(Fault::Corrupt);
}

/// The session is accepted, and then nothing more comes.
fn a_resumption_accepted_and_cut_fails_once<B: Backend>() {
    fails_once_everywhere::<B>(Fault::CloseAfterServerHello);
}

/// The session is accepted with a cipher suite that is not its own.
fn a_resumption_with_another_cipher_fails_once<B: Backend>() {
    for library in Library::ALL {
        for (protocol, cipher) in OTHER_CIPHERS {
            let server = one_ticket(library, protocol);
            fails_once::<B>(&server, &server, Fault::OtherCipher(cipher));
        }
    }
}

/// The server closes when it sees a session.
fn a_server_that_hangs_up_on_resumption_fails_once<B: Backend>() {
    fails_once_everywhere::<B>(Fault::CloseAfterClientHello);
}

/// The session id says "accepted", and then comes a full handshake: TLS 1.2, with new keys.
fn an_acceptance_that_is_a_lie_fails_once<B: Backend>() {
    for library in Library::ALL {
        let [honest, lying] = [(); 2].map(|()| one_ticket(library, Protocol::Tls12));
        fails_once::<B>(&honest, &lying, Fault::EchoedId);
    }
}

/// A session of TLS 1.3 is "accepted" in TLS 1.2: by its id, as OpenSSL has it.
fn an_acceptance_in_an_older_version_fails_once<B: Backend>() {
    for library in Library::ALL {
        let [old, new] = Protocol::ALL.map(|protocol| one_ticket(library, protocol));
        fails_once::<B>(&new, &old, Fault::EchoedId);
    }
}

/// Tickets that are all the same to the server, which has another secret for them: no two
/// handshakes in a row fail.
fn a_ticket_for_another_secret_fails_once<B: Backend>() {
    let tickets = FaultyTicketer::new().same_ticket_for_first();
    let same = server_with(Protocol::Tls13, tickets);
    let stage = Stage::<B>::new();
    let stats = stage.counted(|| {
        stage.visit(&same).is(Resumption::Full);
        stage.visit(&same).is(Resumption::Resumed);
        for _ in 0..3 {
            let error = stage.visit_in_vain(FaultyTransport::new(&same, Fault::None));
            assert_eq!(error.kind(), ErrorKind::Handshake, "{error}");
            stage.visit(&same).is(Resumption::Full);
        }
    });
    assert_eq!((stats.resumed, stats.failed), (1, 3));
    stage.is_unharmed();
}

/// A server that is overloaded closes each connection after the `ClientHello`; when it is well
/// again, handshakes succeed and then resume.
fn closing_after_the_hello_harms_nothing<B: Backend>() {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let server = server(library, protocol, |_| {});
            let stage = Stage::<B>::new();
            stage.visit(&server).is(Resumption::Full);
            let stats = stage.counted(|| {
                for _ in 0..5 {
                    let wire = FaultyTransport::new(&server, Fault::CloseAfterClientHello);
                    let error = stage.visit_in_vain(wire);
                    assert_eq!(error.kind(), ErrorKind::Closed, "{library} {protocol}");
                }
            });
            assert!(stats.failed >= 1, "{library} {protocol}: {stats:?}");
            assert_eq!(stats.failed, stats.offered, "{library} {protocol}");
            stage.is_unharmed();
            stage.visit(&server);
            stage.visit(&server).is(Resumption::Resumed);
        }
    }
}

/// A record that cannot be decrypted, while the client waits for its tickets: that connection is
/// broken, and what it had stored before is good.
fn garbage_after_the_handshake_harms_nothing<B: Backend>() {
    for protocol in Protocol::ALL {
        // OpenSSL sends each ticket in a record of its own.
        let server = server(Library::OpenSsl, protocol, |_| {});
        let stage = Stage::<B>::new();
        let stats = stage.counted(|| {
            let wire = FaultyTransport::new(&server, Fault::GarbageAfterHandshake);
            let mut connection = stage.open(wire).expect("the handshake is honest");
            if protocol == Protocol::Tls13 {
                connection.read_tickets().expect_err("garbage comes");
            }
            connection.0.read(&mut [0]).expect_err("it is broken");
        });
        assert_eq!(
            stats.stored, 1,
            "{protocol}: the session before the garbage"
        );
        assert_eq!(stats.failed, 0, "{protocol}: the handshake had succeeded");
        stage.is_unharmed();
        stage.visit(&server).is(Resumption::Resumed);
        stage.is_unharmed();
    }
}

/// What has to hold for several sessions of one server, too.
fn fails_once_with_two_tickets<B: Backend>() {
    for library in Library::ALL {
        let server = server(library, Protocol::Tls13, |_| {});
        let stage = Stage::<B>::new();
        stage.visit(&server).is(Resumption::Full);
        let harmed = || FaultyTransport::on_resumption(&server, Fault::Corrupt);
        stage.visit_in_vain(harmed());
        let next = stage.visit_harmed(harmed());
        assert!(next.is_ok(), "{library}: failed again: {next:?}");
    }
}
