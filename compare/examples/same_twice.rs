//! Checks the measurement itself: two clients that do the same, measured as if they were different.
//! Their difference should be zero, and its interval says what `store_ns` can tell apart.
//!
//! `cargo run --release -p compare --example same_twice [ROUNDS]`

use compare::harness::{Corner, Stack, Store};
use compare::sections::handshakes::{Case, Plan, measure};
use lab::server::Protocol;

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(10_000);
    let corners = Stack::MAIN
        .into_iter()
        .flat_map(|client| Protocol::ALL.map(|protocol| Corner::new(client, protocol)));
    for store in [Store::InHand, Store::TlsResume] {
        let cases = corners.clone().map(|corner| Case {
            corner,
            stores: vec![Store::InHand, store.clone(), store.clone()],
            rounds,
        });
        let plan = Plan {
            cases: cases.collect(),
            seed: 1,
        };
        for row in measure(&plan, &mut |_| {}) {
            if let Some(us) = row.client_us {
                println!(
                    "{} {} {:11} {:8.2} us {:?} ns [{:?} {:?}] {:?}",
                    row.provider,
                    row.protocol,
                    row.store,
                    us.median,
                    row.store_ns,
                    row.store_ns_low,
                    row.store_ns_high,
                    row.error
                );
            }
        }
    }
}
