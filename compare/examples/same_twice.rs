//! Checks the measurement: measures two identical clients as if they were different. Their difference
//! should be zero, and its interval is the resolution of `store_ns`.
//!
//! `cargo run --release -p compare --example same_twice [ROUNDS]`

use compare::harness::{Scenario, Stack, Store};
use compare::sections::handshakes::{Case, Plan, measure};
use lab::server::Protocol;

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(10_000);
    let scenarios = Stack::MAIN
        .into_iter()
        .flat_map(|client| Protocol::ALL.map(|protocol| Scenario::new(client, protocol)));
    for store in [Store::InHand, Store::TlsResume] {
        let cases = scenarios.clone().map(|scenario| Case {
            scenario,
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
