//! Makes resumed handshakes of one client with one store, for a profiler.
//!
//! `cargo run --release -p compare --example handshakes aws-lc-rs 1.3 tls-resume 1000`

use compare::harness::{Fixture, Scenario, Stack, Store};
use lab::certificate::{Authority, KeyKind};
use lab::server::Protocol;

fn main() {
    let mut words = std::env::args().skip(1);
    let mut word = || words.next().unwrap_or_default();
    let (stack, protocol, store, count) = (word(), word(), word(), word());
    let stacks = [Stack::AwsLcRs, Stack::Ring, Stack::Graviola, Stack::OpenSsl];
    let client = stacks
        .into_iter()
        .find(|known| known.provider() == stack)
        .expect("aws-lc-rs, ring, graviola or openssl");
    let protocol: Protocol = protocol.parse().expect("a version of TLS");
    let store = Store::all_for(client.library())
        .iter()
        .find(|known| known.as_str() == store)
        .cloned()
        .expect("a store of this client");
    let scenario = Scenario::new(client, protocol);
    let fixture = Fixture::new(scenario, &Authority::new(KeyKind::EcdsaP256));
    let client = fixture.client(store).expect("the first handshake succeeds");
    for _ in 0..count.parse().expect("a number of handshakes") {
        client.handshake().expect("the handshake is resumed");
    }
}
