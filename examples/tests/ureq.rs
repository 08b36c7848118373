//! ureq resumes through our connector, on either backend, by the server's own word.

use std::process::Command;
use std::time::Duration;

use examples::serve::Site;
use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol};
use lab::server::{Server, ServerSettings};
use lab::tcp::{Behaviour, TcpServer};
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::{Backend, ureq};

#[test]
fn the_programs_second_connection_is_resumed() {
    let site = Site::start(Library::OpenSsl, Protocol::Tls13, &[]).expect("a server");
    let program = Command::new(env!("CARGO_BIN_EXE_ureq"))
        .args([site.url().as_ref(), site.roots().as_os_str()])
        .output()
        .expect("the program");
    let said = String::from_utf8_lossy(&program.stdout);
    assert!(
        program.status.success(),
        "{}",
        String::from_utf8_lossy(&program.stderr)
    );
    assert_eq!(site.resumed(), [false, true]);
    assert!(said.ends_with("sessions resumed: 1\n"), "{said}");
}

fn resumes<B: Backend>()
where
    ureq::Connection<B>: Send + Sync,
{
    for library in Library::ALL {
        for protocol in Protocol::ALL {
            let site = Site::start(library, protocol, &[]).expect("a server");
            let builder = Connector::<B>::builder().roots_pem_file(site.roots());
            let connector = builder.build().expect("valid settings");
            for _ in 0..3 {
                let answer = ureq::agent(&connector).get(site.url()).call();
                let text = answer.expect("an answer").body_mut().read_to_string();
                assert_eq!(text.expect("a text"), "hello\n");
            }
            assert_eq!(
                site.resumed(),
                [false, true, true],
                "{library:?} {protocol:?}"
            );
            assert_eq!(connector.stats().resumed, 2);
            // One connection serves several requests.
            let agent = ureq::agent(&connector);
            for _ in 0..3 {
                let answer = agent.get(site.url()).call();
                answer
                    .expect("an answer")
                    .body_mut()
                    .read_to_string()
                    .expect("a text");
            }
            assert_eq!(site.handshakes().len(), 4);
        }
    }
}

/// What goes wrong is said in the words of both.
fn says_what_is_wrong<B: Backend>()
where
    ureq::Connection<B>: Send + Sync,
{
    let site = Site::start(Library::Rustls, Protocol::Tls13, &["h2"]).expect("a server");
    let of_strangers = Connector::<B>::builder().build().expect("valid settings");
    let error = ureq::agent(&of_strangers).get(site.url()).call();
    let error = error.expect_err("a stranger").to_string();
    assert!(error.contains("certificate is refused"), "{error}");

    let h2 = Connector::<B>::builder().roots_pem_file(site.roots());
    let h2 = h2.alpn([b"h2".to_vec()]).build().expect("valid settings");
    let error = ureq::agent(&h2).get(site.url()).call();
    let error = error.expect_err("another protocol").to_string();
    assert!(error.contains("do not offer it"), "{error}");

    let identity = Authority::new(KeyKind::EcdsaP256).issue(&["localhost"]);
    let silent = Server::new(Library::Rustls, &ServerSettings::new(identity));
    let silent = TcpServer::start_with(silent, Behaviour::Silent).expect("a port");
    let patience = Some(Duration::from_millis(300));
    let config = ::ureq::Agent::config_builder()
        .timeout_connect(patience)
        .build();
    let agent = ureq::agent_with(config, &of_strangers);
    let error = agent
        .get(format!("https://localhost:{}/", silent.port()))
        .call();
    let error = error.expect_err("silence");
    assert!(matches!(error, ::ureq::Error::Timeout(_)), "{error:?}");
}

#[test]
fn rustls() {
    resumes::<Rustls>();
    says_what_is_wrong::<Rustls>();
}

#[test]
fn openssl() {
    resumes::<OpenSsl>();
    says_what_is_wrong::<OpenSsl>();
}
