//! The client's time for a handshake: full, resumed with the session in hand, resumed from our store
//! and from others, with both backends and both versions of TLS.
//!
//! Each client connects to a server of its own library in this process. The server's time and the
//! time after the tickets are stored do not count (see `compare::harness`). The cost of a store is
//! below the resolution here, since the stores are measured one after the other; `compare run`
//! interleaves them.

use std::time::Duration;

use compare::harness::{Client, Fixture, Scenario, Stack, Store};
use criterion::{Criterion, criterion_group, criterion_main};
use lab::certificate::{Authority, KeyKind};
use lab::server::Protocol;

fn handshake(criterion: &mut Criterion) {
    let authority = Authority::new(KeyKind::EcdsaP256);
    for client in Stack::MAIN {
        for protocol in Protocol::ALL {
            let fixture = Fixture::new(Scenario::new(client, protocol), &authority);
            let name = format!("handshake/{}/tls{}", client.library(), protocol.as_str());
            let mut group = criterion.benchmark_group(name);
            for store in Store::all_for(client.library()) {
                let client = fixture
                    .client(store.clone())
                    .expect("the first handshake succeeds");
                let id = match store {
                    Store::None => "full".to_owned(),
                    store => format!("resumed-{store}"),
                };
                group.bench_function(id, |bencher| {
                    bencher.iter_custom(|handshakes| (0..handshakes).map(|_| one(&client)).sum());
                });
            }
            group.finish();
        }
    }
}

/// The client's time for one handshake.
fn one(client: &Client) -> Duration {
    client.handshake().expect("the handshake succeeds").client
}

criterion_group!(benches, handshake);
criterion_main!(benches);
