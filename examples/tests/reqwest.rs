//! reqwest resumes with a configuration of ours, by the server's own word.

use std::process::Command;

use examples::serve::Site;
use lab::server::{Library, Protocol};
use tls_resume::rustls::Connector;

#[test]
fn the_second_connection_is_resumed() {
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let site = Site::start(library, protocol, &["h2"]).expect("a server");
            let program = Command::new(env!("CARGO_BIN_EXE_reqwest"))
                .args([site.url().as_ref(), site.roots().as_os_str()])
                .output()
                .expect("the program");
            let said = String::from_utf8_lossy(&program.stdout);
            let complained = String::from_utf8_lossy(&program.stderr);
            assert!(program.status.success(), "{complained}");
            assert_eq!(site.resumed(), [false, true], "{library:?} {protocol:?}");
            assert!(said.ends_with("sessions offered: 1\n"), "{said}");
        }
    }
}

/// What the connector is told holds for the client that has a configuration of it.
#[tokio::test]
async fn the_connector_decides_what_is_kept() {
    for protocol in Protocol::ALL {
        let site = Site::start(Library::OpenSsl, protocol, &[]).expect("a server");
        let builder = || Connector::builder().roots_pem_file(site.roots());
        let connector = builder().build().expect("valid settings");
        let visit = async |connector: &Connector| {
            // Each client has a configuration of its own, and all share.
            let client = reqwest::Client::builder()
                .tls_backend_preconfigured(connector.client_config())
                .build();
            let answer = client.expect("a client").get(site.url()).send().await;
            let text = answer.expect("an answer").text().await.expect("a text");
            assert_eq!(text, "hello\n");
            site.handshakes().last().expect("a handshake").resumed
        };
        connector.watch("localhost", site.port());
        assert!(!visit(&connector).await);
        assert!(visit(&connector).await, "{protocol:?}");
        // R27.
        let seen = connector.server_stats("localhost", site.port());
        let seen = seen.expect("a server that is watched");
        assert_eq!((seen.missed, seen.offered), (1, 1), "{protocol:?}");
        assert_eq!(seen.held, connector.stats().sessions);
        connector.unwatch("localhost", site.port());
        assert_eq!(connector.server_stats("localhost", site.port()), None);
        // R22. Another host's are not touched.
        connector.clear_server("localhost.example", site.port());
        assert!(visit(&connector.clone()).await);
        connector.clear_server("LOCALHOST", site.port());
        assert!(!visit(&connector).await, "{protocol:?}");
        assert!(visit(&connector).await);
        connector.clear();
        assert!(!visit(&connector).await, "{protocol:?}");
        // R1: the connector's own connections are apart, and another's altogether.
        let held = connector.stats().sessions;
        let other = builder().build().expect("valid settings");
        assert!(!visit(&other).await);
        assert_eq!(connector.stats().sessions, held);
        // R6.
        let never = builder().never_resume(["localhost"]).build();
        let never = never.expect("valid settings");
        for _ in 0..2 {
            assert!(!visit(&never).await);
        }
        assert_eq!((never.stats().stored, never.stats().offered), (0, 0));
    }
}
