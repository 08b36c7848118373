//! nginx with connectors of every backend: R33, an expired certificate, and R35, a flood of one
//! partition. nginx reports each resumption.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lab::nginx::NginxServer;
use tls_resume::generic::{Connector, Stream};
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{Backend, Clock, Limits, ManualClock, SystemClock};

use super::common::{PROTOCOLS, authority};

const MINUTE: Duration = Duration::from_secs(60);

/// Makes a request to the server, under this name, and reads the response.
fn get<B: Backend>(connector: &Connector<B>, host: &str, port: u16) {
    let tcp = TcpStream::connect(("127.0.0.1", port)).expect("TCP");
    request(
        connector.connect_stream(host, port, tcp).expect("TLS"),
        host,
    );
}

/// Makes a request over `stream`, reads the response, and closes.
pub(super) fn request<B: Backend>(mut stream: Stream<B, TcpStream>, host: &str) {
    let request = format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a write");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    assert!(response.ends_with("\r\nhello\n"), "{response}");
    stream.close().expect("close_notify");
}

/// The certificate is valid for an hour, and nginx accepts its tickets longer.
fn an_expired_certificate_ends_resumption<B: Backend>() {
    for protocol in PROTOCOLS {
        let identity = authority().issue_until(&["localhost"], SystemTime::now() + 60 * MINUTE);
        let nginx = NginxServer::start(&identity).expect("an nginx");
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let connector = Connector::<B>::builder()
            .roots([authority().root_der()])
            .protocols([protocol])
            .clock(Arc::<ManualClock>::clone(&clock));
        let connector = connector.build().expect("valid settings");
        for minutes in [0, 1, 1, 57, 2, 0] {
            clock.advance(minutes * MINUTE);
            get(&connector, "localhost", nginx.port());
        }
        let resumed = nginx.resumed(6).expect("its log");
        assert_eq!(resumed, [false, true, true, true, false, false]);
    }
}

/// A partition with more servers than the store has room for, beside one with a few.
fn a_flood_of_one_partition_leaves_another<B: Backend>() {
    const QUIET: usize = 8;
    let nginx = NginxServer::start(&authority().issue(&["*.lab.example"])).expect("an nginx");
    for protocol in PROTOCOLS {
        let connector = Connector::<B>::builder()
            .roots([authority().root_der()])
            .protocols([protocol])
            .limits(Limits::default().with_servers(2 * QUIET));
        let connector = connector.build().expect("valid settings");
        let visit = |connector: &Connector<B>, server: usize| {
            get(connector, &format!("{server}.lab.example"), nginx.port());
        };
        let [quiet, greedy] = ["quiet", "greedy"].map(|name| connector.partition(name));
        (0..QUIET).for_each(|server| visit(&quiet, server));
        // Twice each, as a busy client does.
        (0..10 * QUIET).for_each(|server| visit(&greedy, server / 2));
        let before = nginx.resumed(0).expect("its log").len();
        (0..QUIET).for_each(|server| visit(&quiet, server));
        let resumed = nginx.resumed(before + QUIET).expect("its log");
        assert!(connector.stats().evicted > 0, "the store is too large");
        assert_eq!(resumed[before..], [true; QUIET]);
    }
}

#[test]
fn rustls() {
    an_expired_certificate_ends_resumption::<Rustls>();
    a_flood_of_one_partition_leaves_another::<Rustls>();
}

#[test]
fn openssl() {
    an_expired_certificate_ends_resumption::<OpenSsl>();
    a_flood_of_one_partition_leaves_another::<OpenSsl>();
}

#[test]
fn rustls_preview() {
    an_expired_certificate_ends_resumption::<RustlsPreview>();
    a_flood_of_one_partition_leaves_another::<RustlsPreview>();
}
