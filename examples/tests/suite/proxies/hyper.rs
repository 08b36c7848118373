//! hyper's client, and streams of tokio, over hyper-util's `Tunnel` and `SocksV5`.

use std::process::Command;

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::tokio::Backend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_service::Service;

use super::{Fixture, each};

/// Runs the program `proxy`; the lines of its output.
fn run(fixture: &Fixture, proxy: &str) -> Vec<String> {
    let program = Command::new(env!("CARGO_BIN_EXE_proxy"))
        .args([&fixture.target.url(), proxy])
        .arg(fixture.target.roots())
        .output()
        .expect("the program");
    let stderr = String::from_utf8_lossy(&program.stderr);
    assert!(program.status.success(), "{stderr}");
    let stdout = String::from_utf8(program.stdout).expect("text");
    stdout.lines().map(str::to_owned).collect()
}

const FULL_THEN_RESUMED: [&str; 2] = ["Some(Full)", "Some(Resumed)"];

#[test]
fn the_program_resumes_through_connect() {
    each(|fixture| {
        assert_eq!(run(fixture, &fixture.http()), FULL_THEN_RESUMED);
        fixture.assert_tunnelled();
    });
}

#[test]
fn the_program_resumes_with_the_proxy_and_with_the_target() {
    each(|fixture| {
        let written = run(fixture, &fixture.https());
        let [full, resumed] = FULL_THEN_RESUMED;
        let proxy = "sessions resumed with the proxy: 1";
        assert_eq!(written, [full, resumed, proxy]);
        fixture.assert_tunnelled_over_tls();
    });
}

#[test]
fn the_program_resumes_through_socks() {
    each(|fixture| {
        assert_eq!(run(fixture, &fixture.socks("socks5")), FULL_THEN_RESUMED);
        fixture.assert_through_socks();
    });
}

#[test]
fn a_proxy_that_is_down_is_named() {
    let fixture = Fixture::start(lab::server::Protocol::Tls13);
    let program = Command::new(env!("CARGO_BIN_EXE_proxy"))
        .args([fixture.target.url().as_str(), "http://127.0.0.1:1"])
        .arg(fixture.target.roots())
        .output()
        .expect("the program");
    let stderr = String::from_utf8_lossy(&program.stderr);
    assert!(
        !program.status.success() && stderr.contains("check the proxy"),
        "{stderr}"
    );
    assert!(fixture.target.handshakes().is_empty());
}

/// Streams of tokio over a tunnel that one of hyper-util's services makes.
async fn streams_resume<B: Backend, T>(fixture: &Fixture, mut tunnels: T)
where
    T: Service<Uri, Response = hyper_util::rt::TokioIo<tokio::net::TcpStream>>,
    T::Error: std::fmt::Debug,
{
    let builder = Connector::<B>::builder().roots_pem_file(fixture.target.roots());
    let connector = builder.build().expect("valid settings").tokio();
    for _ in 0..2 {
        let target = fixture.target.url().parse().expect("a URI");
        let tunnel = tunnels.call(target).await.expect("a tunnel").into_inner();
        let port = fixture.target.port();
        let stream = connector.connect_stream("localhost", port, tunnel).await;
        let mut stream = stream.expect("TLS");
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.expect("a write");
        stream.flush().await.expect("a flush");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        assert!(answer.ends_with(b"hello\n"));
    }
}

async fn streams_resume_through_both<B: Backend>() {
    let fixture = Fixture::start(lab::server::Protocol::Tls13);
    let proxy = fixture.http().parse().expect("a URI");
    streams_resume::<B, _>(&fixture, Tunnel::new(proxy, HttpConnector::new())).await;
    fixture.assert_tunnelled();

    let fixture = Fixture::start(lab::server::Protocol::Tls13);
    let proxy = fixture.socks("http").parse().expect("a URI");
    streams_resume::<B, _>(&fixture, SocksV5::new(proxy, HttpConnector::new())).await;
    fixture.assert_through_socks();
}

#[tokio::test]
async fn streams_resume_with_rustls() {
    streams_resume_through_both::<Rustls>().await;
}

#[tokio::test]
async fn streams_resume_with_openssl() {
    streams_resume_through_both::<OpenSsl>().await;
}

#[tokio::test]
async fn streams_resume_with_rustls_preview() {
    streams_resume_through_both::<RustlsPreview>().await;
}
