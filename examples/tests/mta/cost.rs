//! What a store that does not work costs the handshakes beside it: they succeed, and how long they
//! take is printed. With few rounds unless told, which show no more than that it runs; to measure:
//!
//! `ROUNDS=600 cargo test --release -p examples cost -- --nocapture --test-threads 1`

use std::time::{Duration, Instant};

use lab::certificate::{Authority, KeyKind};
use lab::redis::free_port;
use lab::server::{Library, Server, ServerSettings};
use lab::transport::InMemory;
use tls_resume::Shareable;
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls_preview::RustlsPreview;

use crate::common::{Town, crew, number, redis, signal};
use crate::hung::Hung;

const HOST: &str = "mx.mail.example";

/// Clients that differ in their store only, at a server in this process that takes part in what is
/// measured: so there is no network that would hide anything.
struct Bench<B: tls_resume::Backend> {
    server: Server,
    clients: Vec<(&'static str, Connector<B>)>,
}

impl<B: Shareable> Bench<B> {
    /// How long a handshake takes with this server, up to the first answer.
    fn handshake(&self, client: usize, port: u16) -> Duration {
        use std::io::{Read, Write};

        let io = InMemory::new(&self.server);
        let began = Instant::now();
        let mut stream = self.clients[client]
            .1
            .connect_stream(HOST, port, io)
            .expect("a handshake");
        let took = began.elapsed();
        stream.write_all(b"EHLO").expect("a write");
        stream.read_exact(&mut [0; 4]).expect("an echo");
        took
    }

    /// Handshakes in rounds, in which each client has one; `port` tells the server of a round.
    fn rounds(&self, what: &str, port: impl Fn(usize) -> u16) {
        let count = number("ROUNDS", 20);
        let mut times = vec![Vec::with_capacity(count); self.clients.len()];
        for round in 0..count {
            // Who begins changes, so that nobody always comes after the same one.
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
    let town = Town::with(1);
    crew(1)
        .deliver(&[town.orders(&town.lmdb())])
        .expect("a store");
    let stopped = redis();
    signal("-STOP", stopped.id());
    let down = format!("redis://127.0.0.1:{}", free_port().expect("a port"));

    let authority = Authority::new(KeyKind::EcdsaP256);
    let client = |store: &str| {
        Connector::<B>::builder()
            .roots([authority.root_der()])
            .store(store)
            .store_keys(town.path("keys"))
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
            ("lmdb hung", client(&town.lmdb())),
        ],
    };
    let hung = Hung::in_store(&town.path("sessions"));
    bench.rounds(&format!("{name}, resumed"), |_| 25);
    bench.rounds(&format!("{name}, full   "), |round| {
        1_000 + u16::try_from(round % 60_000).expect("a port")
    });
    drop(hung);
    signal("-CONT", stopped.id());
}

#[test]
fn what_a_failing_store_costs() {
    measure::<OpenSsl>("openssl");
    measure::<RustlsPreview>("rustls-preview");
}
