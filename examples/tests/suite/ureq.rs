//! ureq with our connector on either backend, as seen by the server.

use std::process::Command;
use std::time::Duration;

use examples::serve::HttpsServer;
use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol};
use lab::server::{Server, ServerSettings};
use lab::tcp::{Behaviour, TcpServer};
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::{Backend, ureq};

#[test]
fn the_program_resumes() {
    let server = HttpsServer::start(Library::OpenSsl, Protocol::Tls13, &[]).expect("a server");
    let program = Command::new(env!("CARGO_BIN_EXE_ureq"))
        .args([server.url().as_ref(), server.roots().as_os_str()])
        .output()
        .expect("the program");
    let stdout = String::from_utf8_lossy(&program.stdout);
    assert!(
        program.status.success(),
        "{}",
        String::from_utf8_lossy(&program.stderr)
    );
    assert_eq!(server.resumed(), [false, true]);
    assert!(stdout.ends_with("sessions resumed: 1\n"), "{stdout}");
}

fn resumes<B: Backend>()
where
    ureq::Connection<B>: Send + Sync,
{
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let server = HttpsServer::start(library, protocol, &[]).expect("a server");
            let builder = Connector::<B>::builder().roots_pem_file(server.roots());
            let connector = builder.build().expect("valid settings");
            for _ in 0..3 {
                let answer = ureq::agent(&connector).get(server.url()).call();
                let text = answer.expect("an answer").body_mut().read_to_string();
                assert_eq!(text.expect("a text"), "hello\n");
            }
            assert_eq!(
                server.resumed(),
                [false, true, true],
                "{library:?} {protocol:?}"
            );
            assert_eq!(connector.stats().resumed, 2);
            // One connection serves several requests.
            let agent = ureq::agent(&connector);
            for _ in 0..3 {
                let answer = agent.get(server.url()).call();
                answer
                    .expect("an answer")
                    .body_mut()
                    .read_to_string()
                    .expect("a text");
            }
            assert_eq!(server.handshakes().len(), 4);
        }
    }
}

/// Errors have the messages of our connector and the kinds of ureq.
fn errors_are_explained<B: Backend>()
where
    ureq::Connection<B>: Send + Sync,
{
    let server = HttpsServer::start(Library::Rustls, Protocol::Tls13, &["h2"]).expect("a server");
    let untrusting = Connector::<B>::builder().build().expect("valid settings");
    let error = ureq::agent(&untrusting).get(server.url()).call();
    let error = error.expect_err("a stranger").to_string();
    assert!(error.contains("certificate is rejected"), "{error}");

    let h2 = Connector::<B>::builder().roots_pem_file(server.roots());
    let h2 = h2.alpn([b"h2".to_vec()]).build().expect("valid settings");
    let error = ureq::agent(&h2).get(server.url()).call();
    let error = error.expect_err("another protocol").to_string();
    assert!(error.contains("do not offer it"), "{error}");

    let identity = Authority::new(KeyKind::EcdsaP256).issue(&["localhost"]);
    let silent = Server::new(Library::Rustls, &ServerSettings::new(identity));
    let silent = TcpServer::start_with(silent, Behaviour::Silent).expect("a port");
    let patience = Some(Duration::from_millis(300));
    let config = ::ureq::Agent::config_builder()
        .timeout_connect(patience)
        .build();
    let agent = ureq::agent_with(config, &untrusting);
    let error = agent
        .get(format!("https://localhost:{}/", silent.port()))
        .call();
    let error = error.expect_err("silence");
    assert!(matches!(error, ::ureq::Error::Timeout(_)), "{error:?}");
}

#[test]
fn rustls() {
    resumes::<Rustls>();
    errors_are_explained::<Rustls>();
}

#[test]
fn openssl() {
    resumes::<OpenSsl>();
    errors_are_explained::<OpenSsl>();
}
