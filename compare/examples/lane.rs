//! Resumed handshakes of one client with one store, over and over: for a profiler.
//!
//! `cargo run --release -p compare --example lane aws-lc-rs 1.3 tls-resume 1000`

use compare::harness::{Corner, Stack, Stage, Store};
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
    let protocol = Protocol::ALL
        .into_iter()
        .find(|known| known.to_string() == protocol)
        .expect("1.2 or 1.3");
    let store = Store::of(client.library())
        .iter()
        .find(|known| known.as_str() == store)
        .cloned()
        .expect("a store of this client");
    let corner = Corner::new(client, protocol);
    let stage = Stage::new(corner, &Authority::new(KeyKind::EcdsaP256));
    let lane = stage.lane(store).expect("the first handshake succeeds");
    for _ in 0..count.parse().expect("how many handshakes") {
        lane.measure().expect("the handshake is resumed");
    }
}
