//! One text for one cause, whatever the backend, and the alert that ended the handshake.

use lab::certificate::{Authority, Identity, KeyKind};
use lab::faults::{Fault, FaultyTransport};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::{Behaviour, TcpServer};
use tls_resume::{Alert, Backend, Error};

use super::clients::{builder, talk, visit};
use crate::servers::{
    HOST, PORT, authority, good_server, listen, server_without_context, settings,
};

/// The error of a connection over TCP.
fn error<B: Backend>(server: &TcpServer) -> Error {
    let client = builder::<B>().build().expect("valid settings");
    let connected = client.connect(HOST, server.port());
    connected.expect_err("the handshake fails")
}

fn of_identity<B: Backend>(identity: Identity, version: Protocol) -> Error {
    let settings = ServerSettings {
        identity,
        ..settings(version)
    };
    error::<B>(&listen(Server::new(Library::OpenSsl, &settings)))
}

pub(crate) fn a_rejected_certificate_has_one_text<B: Backend>() {
    let unknown_issuer = Authority::new(KeyKind::EcdsaP256).issue(&[HOST]);
    let wrong_name = authority().issue(&["wrong.example"]);
    let expired = authority().issue_expired(&[HOST]);
    let not_yet_valid = authority().issue_not_yet_valid(&[HOST]);
    let check = "check the clock of this machine and the server's certificate";
    for (identity, why, advice, alerts) in [
        (
            unknown_issuer,
            "its issuer is not trusted",
            "add the root certificate of its issuer to the trusted roots",
            // To rustls, another root of the same name makes a bad signature: decrypt_error.
            [48, 51],
        ),
        (
            wrong_name,
            "it is for other names",
            "check the host name",
            [42, 42],
        ),
        (expired, "it has expired", check, [45, 45]),
        // certificate_expired in rustls.
        (not_yet_valid, "it is not valid yet", check, [42, 45]),
    ] {
        for version in Protocol::ALL {
            let error = of_identity::<B>(identity.clone(), version);
            let text = format!("{HOST}: the server's certificate is rejected ({why}): {advice}");
            assert_eq!(error.to_string(), text);
            let Some(Alert::Sent(alert)) = error.alert() else {
                panic!("{version}: {:?}", error.alert());
            };
            assert!(alerts.contains(&alert), "{version}: {alert}");
        }
    }
}

pub(crate) fn an_alert_has_one_text<B: Backend>() {
    for version in Protocol::ALL {
        let server = server_without_context(version);
        let client = builder::<B>().retry_failed_resumption(false).build();
        let client = client.expect("valid settings");
        drop(visit(&client, &server));
        let error = client.connect(HOST, server.port()).expect_err("it breaks");
        let text =
            format!("{HOST}: the server ended the handshake by the alert internal_error (80)");
        assert_eq!(error.to_string(), text);
        assert_eq!(error.alert(), Some(Alert::Received(80)));
    }
}

pub(crate) fn an_answer_that_is_not_tls_has_one_text<B: Backend>() {
    let server = good_server(Protocol::Tls13);
    let server = TcpServer::start_with(server, Behaviour::PlainText);
    let error = error::<B>(&server.expect("a free port"));
    let text = format!("{HOST}: the answer is not TLS: check the port");
    assert_eq!(error.to_string(), text);
}

pub(crate) fn a_closed_handshake_has_one_text<B: Backend>() {
    let server = good_server(Protocol::Tls13);
    let client = builder::<B>().build().expect("valid settings");
    let mut texts = Vec::new();
    for fault in [
        Fault::CloseAfterClientHello,
        Fault::CloseAfterServerHello,
        Fault::None,
    ] {
        let io = FaultyTransport::new(&server, fault);
        match client.connect_stream(HOST, PORT, io) {
            Ok(mut stream) => talk(&mut stream),
            Err(error) => texts.push(error.to_string()),
        }
    }
    let io = FaultyTransport::new(&server, Fault::CloseAfterClientHello);
    texts.push(
        client
            .connect_stream(HOST, PORT, io)
            .expect_err("closed")
            .to_string(),
    );
    let closed = "the server closed the connection during the handshake";
    assert_eq!(
        texts,
        [
            format!("{HOST}: {closed}: check that it speaks TLS on this port"),
            format!("{HOST}: {closed}, after it had answered in TLS: see its log for the reason"),
            format!(
                "{HOST}: {closed}, although this client had a session from it: try again, which \
                 makes a full handshake; if that fails too, see the server's log"
            ),
        ]
    );
}
