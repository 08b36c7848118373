//! reqwest with our `ClientConfig`, as seen by the server.

use std::process::Command;

use examples::serve::HttpsServer;
use lab::server::{Library, Protocol};
use tls_resume::rustls::Connector;

#[test]
fn the_second_connection_is_resumed() {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let server = HttpsServer::start(library, protocol, &["h2"]).expect("a server");
            let program = Command::new(env!("CARGO_BIN_EXE_reqwest"))
                .args([server.url().as_ref(), server.roots().as_os_str()])
                .output()
                .expect("the program");
            let stdout = String::from_utf8_lossy(&program.stdout);
            let stderr = String::from_utf8_lossy(&program.stderr);
            assert!(program.status.success(), "{stderr}");
            assert_eq!(server.resumed(), [false, true], "{library:?} {protocol:?}");
            assert!(stdout.ends_with("sessions offered: 1\n"), "{stdout}");
        }
    }
}

/// The connector's settings and methods apply to clients with its `ClientConfig`.
#[tokio::test]
async fn the_connector_controls_the_clients_sessions() {
    for protocol in Protocol::ALL {
        let server = HttpsServer::start(Library::OpenSsl, protocol, &[]).expect("a server");
        let builder = || Connector::builder().roots_pem_file(server.roots());
        let connector = builder().build().expect("valid settings");
        let visit = async |connector: &Connector| {
            // Clients have separate configurations with the same store.
            let client = reqwest::Client::builder()
                .tls_backend_preconfigured(connector.client_config())
                .build();
            let answer = client.expect("a client").get(server.url()).send().await;
            let text = answer.expect("an answer").text().await.expect("a text");
            assert_eq!(text, "hello\n");
            server.handshakes().last().expect("a handshake").resumed
        };
        connector.watch("localhost", server.port());
        assert!(!visit(&connector).await);
        assert!(visit(&connector).await, "{protocol:?}");
        // R27: statistics of a watched server.
        let stats = connector.server_stats("localhost", server.port());
        let stats = stats.expect("a server that is watched");
        assert_eq!((stats.missed, stats.offered), (1, 1), "{protocol:?}");
        assert_eq!(stats.held, connector.stats().sessions);
        connector.unwatch("localhost", server.port());
        assert_eq!(connector.server_stats("localhost", server.port()), None);
        // R22: other hosts' sessions are kept.
        connector.clear_server("localhost.example", server.port());
        assert!(visit(&connector.clone()).await);
        connector.clear_server("LOCALHOST", server.port());
        assert!(!visit(&connector).await, "{protocol:?}");
        assert!(visit(&connector).await);
        connector.clear();
        assert!(!visit(&connector).await, "{protocol:?}");
        // R1: another connector has separate sessions.
        let held = connector.stats().sessions;
        let other = builder().build().expect("valid settings");
        assert!(!visit(&other).await);
        assert_eq!(connector.stats().sessions, held);
        // R6: never_resume.
        let never = builder().never_resume(["localhost"]).build();
        let never = never.expect("valid settings");
        for _ in 0..2 {
            assert!(!visit(&never).await);
        }
        assert_eq!((never.stats().stored, never.stats().offered), (0, 0));
    }
}
