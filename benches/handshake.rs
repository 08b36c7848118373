//! The client's part of a handshake: full, resumed with the session in hand, resumed from our store
//! and from others, on both backends and both versions of TLS.
//!
//! Each client talks to a server of its own library in this process. The server's time, and what
//! happens after the tickets are stored, is not counted (see `compare::harness`). What a store costs
//! is below what can be told apart here, one variant after the other: `compare run` interleaves
//! them.

use std::time::Duration;

use compare::harness::{Corner, Lane, Stack, Stage, Store};
use criterion::{Criterion, criterion_group, criterion_main};
use lab::certificate::{Authority, KeyKind};
use lab::server::Protocol;

fn handshake(criterion: &mut Criterion) {
    let authority = Authority::new(KeyKind::EcdsaP256);
    for client in Stack::MAIN {
        for protocol in Protocol::ALL {
            let stage = Stage::new(Corner::new(client, protocol), &authority);
            let name = format!("handshake/{}/tls{}", client.library(), protocol.as_str());
            let mut group = criterion.benchmark_group(name);
            for store in Store::of(client.library()) {
                let lane = stage
                    .lane(store.clone())
                    .expect("the first handshake succeeds");
                let id = match store {
                    Store::None => "full".to_owned(),
                    store => format!("resumed-{store}"),
                };
                group.bench_function(id, |bencher| {
                    bencher.iter_custom(|handshakes| (0..handshakes).map(|_| one(&lane)).sum());
                });
            }
            group.finish();
        }
    }
}

/// One handshake, which has to be of the kind that the lane is for.
fn one(lane: &Lane) -> Duration {
    lane.measure()
        .expect("the handshake is what it should be")
        .client
}

criterion_group!(benches, handshake);
criterion_main!(benches);
