//! Through proxies: tinyproxy (CONNECT), stunnel before it (CONNECT over TLS), and microsocks (SOCKS5).
//! The target's server and stunnel report what was resumed.

mod clients;
mod hyper;

use examples::serve::HttpsServer;
use lab::certificate::{Authority, KeyKind};
use lab::proxies::Proxy;
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::stunnel::StunnelServer;

/// A target, and a proxy of each kind.
struct Fixture {
    target: HttpsServer,
    tinyproxy: Proxy,
    stunnel: StunnelServer,
    microsocks: Proxy,
}

impl Fixture {
    fn start(protocol: Protocol) -> Self {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let settings = ServerSettings {
            protocols: vec![protocol],
            ..ServerSettings::new(authority.issue(&["localhost"]))
        };
        let target = Server::new(Library::OpenSsl, &settings);
        let target = HttpsServer::start_on(&authority, target).expect("a server");
        let tinyproxy = Proxy::tinyproxy().expect("a tinyproxy");
        let identity = authority.issue(&["127.0.0.1", "localhost"]);
        let stunnel = StunnelServer::start(&identity, tinyproxy.port()).expect("a stunnel");
        let microsocks = Proxy::microsocks().expect("a microsocks");
        Self {
            target,
            tinyproxy,
            stunnel,
            microsocks,
        }
    }

    fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.tinyproxy.port())
    }

    fn https(&self) -> String {
        format!("https://127.0.0.1:{}", self.stunnel.port())
    }

    fn socks(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.microsocks.port())
    }

    /// Asserts that two requests came through tinyproxy, the second on a resumed connection.
    fn assert_tunnelled(&self) {
        self.assert_through(&self.tinyproxy);
    }

    /// As [`assert_tunnelled`](Self::assert_tunnelled); the second connection to stunnel resumed, too.
    fn assert_tunnelled_over_tls(&self) {
        self.assert_tunnelled();
        assert_eq!(self.stunnel.resumed(2).expect("its log"), [false, true]);
    }

    /// Asserts that two requests came through microsocks, the second on a resumed connection.
    fn assert_through_socks(&self) {
        self.assert_through(&self.microsocks);
    }

    fn assert_through(&self, proxy: &Proxy) {
        assert_eq!(self.target.resumed(), [false, true]);
        let target = format!("localhost:{}", self.target.port());
        let tunnels = proxy.tunnels(2).expect("its log");
        assert_eq!(tunnels, [target.as_str(); 2]);
    }
}

/// Runs a test with each version of TLS, on a fixture of its own.
fn each(test: impl Fn(&Fixture)) {
    for protocol in Protocol::ALL {
        test(&Fixture::start(protocol));
    }
}
