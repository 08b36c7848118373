//! The client's part of a handshake: full, resumed with the session in hand, and resumed from the
//! store, on both backends and both versions of TLS.
//!
//! Each client talks to a server of its own library in this process. The server's time, and what
//! happens after the tickets are stored, is not counted (see `compare::harness`).

use std::time::Duration;

use compare::harness::{Corner, Lane, Stage, Store};
use criterion::{Criterion, criterion_group, criterion_main};
use lab::certificate::{Authority, KeyKind};

fn handshake(criterion: &mut Criterion) {
    let key = KeyKind::EcdsaP256;
    let authority = Authority::new(key);
    for corner in Corner::all(key).filter(|corner| corner.client == corner.server) {
        let stage = Stage::new(corner, &authority);
        let name = format!("handshake/{}/tls{}", corner.client, corner.protocol);
        let mut group = criterion.benchmark_group(name);
        for store in Store::ALL {
            let lane = stage.lane(store).expect("the first handshake succeeds");
            let id = match store {
                Store::None => "full",
                Store::InHand => "resumed-in-hand",
                Store::TlsResume => "resumed-tls-resume",
            };
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|handshakes| (0..handshakes).map(|_| one(&lane)).sum());
            });
        }
        group.finish();
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
