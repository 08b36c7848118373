//! ureq with our connector on each backend: it connects again where a resumption fails.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use examples::serve::HttpsServer;
use lab::faults::Fault;
use lab::server::{Library, Protocol};
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{Backend, ureq};

use super::common::{
    CONNECTIONS_FOR_ALL_TICKETS, FAULTS, builder, correct_server, each, failures,
    https_behind_proxy, https_server_without_context,
};
use super::starttls_server::forward;

/// Makes a request on a new connection.
fn get<B: Backend>(connector: &Connector<B>, port: u16) -> Result<(), ::ureq::Error>
where
    ureq::Connection<B>: Send + Sync,
{
    get_with(::ureq::config::Config::default(), connector, port)
}

fn get_with<B: Backend>(
    config: ::ureq::config::Config,
    connector: &Connector<B>,
    port: u16,
) -> Result<(), ::ureq::Error>
where
    ureq::Connection<B>: Send + Sync,
{
    let agent = ureq::agent_with(config, connector); // a new pool
    let mut answer = agent.get(format!("https://localhost:{port}/")).call()?;
    assert_eq!(answer.body_mut().read_to_string()?, "hello\n");
    Ok(())
}

fn a_server_without_session_id_context_causes_no_error<B: Backend>()
where
    ureq::Connection<B>: Send + Sync,
{
    each(|protocol, has_certificate| {
        let server = https_server_without_context(protocol);
        let connector = builder::<B>(has_certificate)
            .build()
            .expect("valid settings");
        for _ in 0..20 {
            get(&connector, server.port()).expect("no error");
        }
        let stats = connector.stats();
        let counted = (stats.failed, stats.retried, stats.avoided);
        assert_eq!(counted, (1, 1, 18), "{protocol}: {stats:?}");
        let seen = server.handshakes();
        let sent = seen.iter().filter(|seen| seen.client_certificate).count();
        assert_eq!(
            (seen.len(), sent),
            (20, if has_certificate { 20 } else { 0 })
        );
    });
}

fn a_server_without_session_id_context_causes_one_error_without_the_retry<B: Backend>()
where
    ureq::Connection<B>: Send + Sync,
{
    each(|protocol, has_certificate| {
        let server = https_server_without_context(protocol);
        let builder = builder::<B>(has_certificate).retry_failed_resumption(false);
        let connector = builder.build().expect("valid settings");
        let failures = failures(20, || get(&connector, server.port()));
        assert_eq!((failures, connector.stats().retried), (1, 0), "{protocol}");
    });
}

fn a_resumption_that_breaks_causes_no_error<B: Backend>()
where
    ureq::Connection<B>: Send + Sync,
{
    for protocol in Protocol::ALL {
        let (_server, proxy) = https_behind_proxy(correct_server(Library::Rustls, protocol));
        for fault in FAULTS {
            let connector = builder::<B>(false).build().expect("valid settings");
            proxy.set_fault(Fault::None);
            for _ in 0..CONNECTIONS_FOR_ALL_TICKETS {
                get(&connector, proxy.port()).expect("a healthy server");
            }
            proxy.set_fault_on_resumption(fault);
            for _ in 0..20 {
                get(&connector, proxy.port()).expect("no error");
            }
            let stats = connector.stats();
            assert!((1..=2).contains(&stats.retried), "{fault:?}: {stats:?}");
        }
    }
}

/// ureq's timeout bounds both connections together.
fn silence_costs_two_deadlines_at_most<B: Backend>()
where
    ureq::Connection<B>: Send + Sync,
{
    for protocol in Protocol::ALL {
        let (_server, proxy) = https_behind_proxy(correct_server(Library::OpenSsl, protocol));
        let connector = builder::<B>(false).build().expect("valid settings");
        let timeout = Some(Duration::from_millis(800));
        let config = || {
            ::ureq::Agent::config_builder()
                .timeout_connect(timeout)
                .build()
        };
        get(&connector, proxy.port()).expect("a healthy server");
        proxy.set_fault_on_resumption(Fault::Silence);
        let failures = failures(20, || {
            let answer = get_with(config(), &connector, proxy.port());
            answer.inspect_err(|error| assert!(matches!(error, ::ureq::Error::Timeout(_))))
        });
        assert!((1..=2).contains(&failures), "{protocol}: {failures}");
        assert_eq!(connector.stats().retried, 0, "no time was left");
    }
}

/// A silent server costs a part of ureq's timeout, and the rest is for the second connection.
fn the_second_connection_has_the_rest_of_the_timeout<B: Backend>()
where
    ureq::Connection<B>: Send + Sync,
{
    let (_server, proxy) = https_behind_proxy(correct_server(Library::OpenSsl, Protocol::Tls13));
    let connector = builder::<B>(false).build().expect("valid settings");
    get(&connector, proxy.port()).expect("a healthy server");
    proxy.set_fault_on_resumption(Fault::Silence);
    let config = ::ureq::Agent::config_builder()
        .timeout_per_read(Some(Duration::from_millis(800)))
        .timeout_connect(Some(Duration::from_secs(60)))
        .build();
    get_with(config, &connector, proxy.port()).expect("no error");
    assert_eq!(connector.stats().retried, 1);
}

/// The second connection goes through the proxy, too.
fn an_http_proxy_is_used_again<B: Backend>()
where
    ureq::Connection<B>: Send + Sync,
{
    let server = https_server_without_context(Protocol::Tls13);
    let connector = builder::<B>(false).build().expect("valid settings");
    let (address, asked) = http_proxy(server.port());
    for _ in 0..3 {
        let proxy = ::ureq::Proxy::new(&format!("http://{address}")).expect("a proxy");
        let config = ::ureq::Agent::config_builder().proxy(Some(proxy)).build();
        get_with(config, &connector, server.port()).expect("no error");
    }
    assert_eq!(connector.stats().retried, 1);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

/// The port has another server, whose certificate is not trusted.
fn a_certificate_error_is_not_retried<B: Backend>()
where
    ureq::Connection<B>: Send + Sync,
{
    for protocol in Protocol::ALL {
        let (_server, proxy) = https_behind_proxy(correct_server(Library::OpenSsl, protocol));
        let other = HttpsServer::start(Library::OpenSsl, protocol, &[]).expect("a server");
        let connector = builder::<B>(false).build().expect("valid settings");
        get(&connector, proxy.port()).expect("a trusted server");
        proxy.set_server(local(other.port()));
        let error = get(&connector, proxy.port()).expect_err("a stranger");
        let message = error.to_string();
        assert!(message.contains("certificate is rejected"), "{message}");
        let retried = connector.stats().retried;
        assert_eq!((proxy.connections(), retried), (2, 0), "{protocol}");
    }
}

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// A proxy that forwards CONNECT to this port, and counts it. It runs until the process ends.
fn http_proxy(port: u16) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let asked = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&asked);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut lines = BufReader::new(&client).lines().map_while(Result::ok);
            let request = lines.next().expect("a request");
            assert!(request.starts_with(&format!("CONNECT localhost:{port} ")));
            lines
                .find(String::is_empty)
                .expect("the end of the request");
            counted.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || {
                (&client)
                    .write_all(b"HTTP/1.1 200 OK\r\n\r\n")
                    .expect("a client");
                forward(
                    &client,
                    &TcpStream::connect(local(port)).expect("the server"),
                );
            });
        }
    });
    (address, asked)
}

on_backends! { rustls: Rustls, openssl: OpenSsl, rustls_preview: RustlsPreview;
    a_server_without_session_id_context_causes_no_error,
    a_server_without_session_id_context_causes_one_error_without_the_retry,
    a_resumption_that_breaks_causes_no_error,
    silence_costs_two_deadlines_at_most,
    the_second_connection_has_the_rest_of_the_timeout,
    an_http_proxy_is_used_again,
    a_certificate_error_is_not_retried,
}
