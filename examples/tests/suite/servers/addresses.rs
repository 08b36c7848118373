//! R40: several nginx behind one name, each at an address of its own. nginx reports each resumption.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lab::nginx::NginxServer;
use lab::tcp::free_port;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{Backend, ConnectOptions};
use ureq::Agent;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{NextTimeout, TcpConnector};

use super::common::{PROTOCOLS, authority, connector};
use super::nginx::request;

const HOST: &str = "farm.lab.example";

/// The keys of each address: those with the same number share them.
const FARMS: [&[u8]; 8] = [
    &[1, 1],
    &[1, 2],
    &[1, 1, 1],
    &[1, 2, 3],
    &[1, 1, 2],
    &[1, 1, 1, 1, 1, 1, 1, 1],
    &[1, 2, 3, 4, 5, 6, 7, 8],
    &[1, 2, 1, 2, 1, 2, 1, 2],
];

/// The servers of one name.
struct Farm {
    servers: Vec<NginxServer>,
    port: u16,
    /// Has the files of the keys.
    _folder: tempfile::TempDir,
}

impl Farm {
    fn start(keys: &[u8]) -> Self {
        let identity = authority().issue(&[HOST]);
        let (port, dir) = (
            free_port().expect("a port"),
            tempfile::tempdir().expect("a folder"),
        );
        let start = |(at, key): (usize, &u8)| {
            let file = dir.path().join(key.to_string());
            fs::write(&file, [*key; 48]).expect("a file");
            let address = SocketAddr::new(address(at), port);
            NginxServer::start_at(&identity, address, &file).expect("an nginx")
        };
        let servers = keys.iter().enumerate().map(start).collect();
        Self {
            servers,
            port,
            _folder: dir,
        }
    }

    /// How often the servers have resumed, and how many requests they have answered.
    fn resumed(&self) -> (usize, usize) {
        let logs = self
            .servers
            .iter()
            .map(|server| server.resumed(0).expect("its log"));
        let all: Vec<bool> = logs.flatten().collect();
        (all.iter().filter(|resumed| **resumed).count(), all.len())
    }

    /// Visits the addresses in turn, so often, and returns how many visits were resumed.
    fn rounds(&self, rounds: usize, mut visit: impl FnMut(usize)) -> usize {
        let (before, answered) = self.resumed();
        for _ in 0..rounds {
            (0..self.servers.len()).for_each(&mut visit);
        }
        let expected = answered + rounds * self.servers.len();
        let (mut after, mut answered) = self.resumed();
        while answered < expected {
            std::thread::yield_now(); // nginx writes its log after the answer
            (after, answered) = self.resumed();
        }
        after - before
    }

    /// Visits each address twice, and then three times, when all of them resume. Where all share keys,
    /// all but the first visit resume.
    fn check(&self, keys: &[u8], what: &str, mut visit: impl FnMut(usize)) {
        let all = keys.len();
        let first = self.rounds(2, &mut visit);
        if keys.iter().all(|key| *key == keys[0]) {
            assert_eq!(first, 2 * all - 1, "{what}: {keys:?}");
        }
        let resumed = self.rounds(3, visit);
        assert_eq!(resumed, 3 * all, "{what}: {keys:?}");
    }
}

fn address(at: usize) -> IpAddr {
    let number = u8::try_from(at + 2).expect("few addresses");
    Ipv4Addr::new(127, 0, 0, number).into()
}

/// The caller connects, and names the address.
fn over_the_callers_transport<B: Backend>(farm: &Farm, keys: &[u8]) {
    for protocol in PROTOCOLS {
        let connector = connector::<B>(protocol);
        farm.check(
            keys,
            &format!("{} {protocol}", std::any::type_name::<B>()),
            |at| {
                let tcp = TcpStream::connect((address(at), farm.port)).expect("TCP");
                let options = ConnectOptions::new().address(address(at));
                let connected = connector.connect_stream_with(HOST, farm.port, tcp, &options);
                request(connected.expect("TLS"), HOST);
            },
        );
    }
}

/// Resolves the name to all addresses, another one first each time.
#[derive(Debug)]
struct RoundRobin {
    first: Arc<AtomicUsize>,
    addresses: Vec<SocketAddr>,
}

impl Resolver for RoundRobin {
    fn resolve(
        &self,
        _: &ureq::http::Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (mut found, count) = (self.empty(), self.addresses.len());
        let first = self.first.load(Ordering::SeqCst);
        (0..count).for_each(|at| found.push(self.addresses[(first + at) % count]));
        Ok(found)
    }
}

/// ureq connects, to the first of all addresses.
fn by_ureq<B: Backend>(farm: &Farm, keys: &[u8])
where
    tls_resume::ureq::Connection<B>: Send + Sync,
{
    for protocol in PROTOCOLS {
        let first = Arc::new(AtomicUsize::new(0));
        let addresses = (0..keys.len()).map(|at| SocketAddr::new(address(at), farm.port));
        let resolver = RoundRobin {
            first: Arc::clone(&first),
            addresses: addresses.collect(),
        };
        let tls =
            tls_resume::ureq::TlsConnector::new(&connector::<B>(protocol), TcpConnector::default());
        let config = Agent::config_builder().max_idle_connections(0);
        let agent = Agent::with_parts(config.build(), tls, resolver);
        let url = format!("https://{HOST}:{}/", farm.port);
        farm.check(
            keys,
            &format!("ureq with {} {protocol}", std::any::type_name::<B>()),
            |at| {
                first.store(at, Ordering::SeqCst);
                let answer = agent.get(&url).call().expect("an answer");
                let text = answer.into_body().read_to_string().expect("a text");
                assert_eq!(text, "hello\n");
            },
        );
    }
}

#[test]
fn addresses_of_one_name_resume() {
    for keys in FARMS {
        let farm = Farm::start(keys);
        over_the_callers_transport::<Rustls>(&farm, keys);
        over_the_callers_transport::<OpenSsl>(&farm, keys);
        over_the_callers_transport::<RustlsPreview>(&farm, keys);
        by_ureq::<Rustls>(&farm, keys);
        by_ureq::<OpenSsl>(&farm, keys);
    }
}
