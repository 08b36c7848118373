//! ureq resumes through our connector, on either backend, by the server's own word.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;
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
    assert!(error.contains("certificate is rejected"), "{error}");

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

/// A proxy that somebody wants for privacy is not gone round in silence.
#[test]
fn a_socks_proxy_is_refused() {
    let site = Site::start(Library::Rustls, Protocol::Tls13, &[]).expect("a server");
    let builder = Connector::<Rustls>::builder().roots_pem_file(site.roots());
    let connector = builder.build().expect("valid settings");
    for protocol in ["socks4", "socks4a", "socks5", "socks5h"] {
        let proxy = ::ureq::Proxy::new(&format!("{protocol}://127.0.0.1:1"));
        let config = ::ureq::Agent::config_builder().proxy(Some(proxy.expect("a proxy")));
        let agent = ureq::agent_with(config.build(), &connector);
        let error = agent.get(site.url()).call().expect_err("no way through");
        assert!(error.to_string().contains("SOCKS"), "{protocol}: {error}");
    }
    assert!(site.handshakes().is_empty());
}

/// A proxy of HTTP leads to the server; what it takes is off the time for the handshake.
#[test]
fn a_proxy_of_http_is_gone_through() {
    let site = Site::start(Library::Rustls, Protocol::Tls13, &[]).expect("a server");
    let connector = Connector::<Rustls>::builder().roots_pem_file(site.roots());
    let connector = connector.build().expect("valid settings");
    let (target, proxy) = (
        site.port(),
        TcpListener::bind("127.0.0.1:0").expect("a port"),
    );
    let address = proxy.local_addr().expect("an address");
    thread::spawn(move || {
        for client in proxy.incoming().take(2) {
            let near = client.expect("a client");
            let mut lines = BufReader::new(&near).lines();
            let asked = lines.next().expect("a line").expect("a text");
            assert!(asked.starts_with(&format!("CONNECT localhost:{target} ")));
            while lines
                .next()
                .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
            {}
            (&near)
                .write_all(b"HTTP/1.1 200 OK\r\n\r\n")
                .expect("an answer");
            let far = TcpStream::connect(("127.0.0.1", target)).expect("the server");
            thread::spawn(move || {
                thread::scope(|scope| {
                    scope.spawn(|| io::copy(&mut &near, &mut &far));
                    // To the end of either.
                    let _ = io::copy(&mut &far, &mut &near);
                });
            });
        }
    });
    let proxy = ::ureq::Proxy::new(&format!("http://{address}")).expect("a proxy");
    for _ in 0..2 {
        let config = ::ureq::Agent::config_builder().proxy(Some(proxy.clone()));
        let answer = ureq::agent_with(config.build(), &connector)
            .get(site.url())
            .call();
        let text = answer.expect("an answer").body_mut().read_to_string();
        assert_eq!(text.expect("a text"), "hello\n");
    }
    assert_eq!(site.resumed(), [false, true]);
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
