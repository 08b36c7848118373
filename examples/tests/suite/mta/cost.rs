//! Handshakes next to a store that does not work: they succeed, and their times are printed. The
//! default number of rounds is too small to measure; to do so:
//!
//! `ROUNDS=600 cargo test --release -p examples mta::cost -- --nocapture --test-threads 1`

use std::time::{Duration, Instant};

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Server, ServerSettings};
use lab::tcp::free_port;
use lab::transport::InMemory;
use tls_resume::Shareable;
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls_preview::RustlsPreview;

use super::common::{Fixture, number, redis, signal, workers};
use super::hung::Hung;

const HOST: &str = "mx.mail.example";

/// Clients that differ only in their store, and a server in this process, so that no network hides
/// the differences. The server's time is included.
struct Bench<B: tls_resume::Backend> {
    server: Server,
    clients: Vec<(&'static str, Connector<B>)>,
}

impl<B: Shareable> Bench<B> {
    /// Duration of a handshake.
    fn handshake(&self, client: usize, port: u16) -> Duration {
        use std::io::{Read, Write};

        let io = InMemory::new(&self.server);
        let start = Instant::now();
        let mut stream = self.clients[client]
            .1
            .connect_stream(HOST, port, io)
            .expect("a handshake");
        let duration = start.elapsed();
        stream.write_all(b"EHLO").expect("a write");
        stream.read_exact(&mut [0; 4]).expect("an echo");
        duration
    }

    /// Rounds in which each client does one handshake; `port` selects the server of a round.
    fn rounds(&self, what: &str, port: impl Fn(usize) -> u16) {
        let count = number("ROUNDS", 20);
        let mut times = vec![Vec::with_capacity(count); self.clients.len()];
        for round in 0..count {
            // The order rotates, so that no client always follows the same one.
            for turn in 0..self.clients.len() {
                let client = (turn + round) % self.clients.len();
                times[client].push(self.handshake(client, port(round)));
            }
        }
        let micros = |time: &Duration| time.as_secs_f64() * 1e6;
        let mut base = None;
        for (times, (name, _)) in times.iter_mut().zip(&self.clients) {
            let first = micros(&times[0]);
            times.sort_unstable();
            let median = micros(&times[times.len() / 2]);
            let added = median - *base.get_or_insert(median);
            let late = micros(&times[times.len() * 99 / 100]);
            println!(
                "{what}, {name:<12} median {median:6.1} us ({added:+5.1}), p99 {late:6.0} us, \
                 the first {first:.0} us"
            );
        }
    }
}

fn measure<B: Shareable>(name: &str) {
    let fixture = Fixture::new(1);
    workers(1)
        .run(&[fixture.job(&fixture.lmdb())])
        .expect("a store");
    let stopped = redis();
    signal("-STOP", stopped.id());
    let down = format!("redis://127.0.0.1:{}", free_port().expect("a port"));

    let authority = Authority::new(KeyKind::EcdsaP256);
    let client = |store: &str| {
        Connector::<B>::builder()
            .roots([authority.root_der()])
            .store(store)
            .store_keys(fixture.path("keys"))
            .build()
            .expect("a connector")
    };
    let bench = Bench {
        server: Server::new(
            Library::OpenSsl,
            &ServerSettings::new(authority.issue(&[HOST])),
        ),
        clients: vec![
            ("memory only", client("memory:")),
            ("memory again", client("memory:")),
            ("redis down", client(&down)),
            ("redis hung", client(&stopped.url())),
            ("lmdb hung", client(&fixture.lmdb())),
        ],
    };
    let hung = Hung::in_store(&fixture.path("sessions"));
    bench.rounds(&format!("{name}, resumed"), |_| 25);
    bench.rounds(&format!("{name}, full   "), |round| {
        1_000 + u16::try_from(round % 60_000).expect("a port")
    });
    drop(hung);
    signal("-CONT", stopped.id());
}

#[test]
fn handshakes_succeed_next_to_a_failing_store() {
    measure::<OpenSsl>("openssl");
    measure::<RustlsPreview>("rustls-preview");
}
