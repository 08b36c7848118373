//! `RustlsPattern` behaves as rustls's own cache does.

use std::collections::HashSet;

use peers::tickets::TicketSource;
use peers::{Capacity, Peer, RustlsMemory, RustlsPattern};
use pki_types::ServerName;
use proptest::prelude::*;
use rustls::client::Tls13ClientSessionValue;
use store_core::Timestamp;

const SERVERS: usize = 4;
const NOW: Timestamp = Timestamp::EPOCH;

#[derive(Clone, Debug)]
enum Step {
    Put(u8),
    Take(u8),
    SetHint(u8, u16),
    Hint(u8),
}

fn step() -> impl Strategy<Value = Step> {
    // More servers than fit, so that some are evicted.
    let server = 0..7_u8;
    prop_oneof![
        4 => server.clone().prop_map(Step::Put),
        2 => server.clone().prop_map(Step::Take),
        1 => (server.clone(), any::<u16>()).prop_map(|(server, group)| Step::SetHint(server, group)),
        1 => server.prop_map(Step::Hint),
    ]
}

/// Numbers a ticket, in the field for an application's QUIC parameters.
fn number(mut ticket: Tls13ClientSessionValue, number: u32) -> Tls13ClientSessionValue {
    ticket.set_quic_params(&number.to_be_bytes());
    ticket
}

fn number_of(ticket: &Tls13ClientSessionValue) -> u32 {
    u32::from_be_bytes(ticket.quic_params().try_into().expect("four bytes"))
}

fn assert_same_behaviour(steps: &[Step], source: &TicketSource) {
    let capacity = Capacity {
        servers: SERVERS,
        ..Capacity::default()
    };
    let (real, pattern) = (RustlsMemory::new(&capacity), RustlsPattern::new(SERVERS));
    let mut tickets = source.take(steps.len());
    let mut seen = HashSet::new();
    for (at, step) in (0..).zip(steps) {
        let name = |server: u8| {
            ServerName::try_from(format!("server-{server}.example")).expect("a valid name")
        };
        match *step {
            Step::Put(server) => {
                let ticket = number(tickets.pop().expect("one per step"), at);
                real.put(&name(server), ticket, Timestamp::NEVER, 0, NOW);
                pattern.put(&name(server), at, Timestamp::NEVER, 0, NOW);
            }
            Step::Take(server) => {
                let taken = real.take(&name(server), NOW).as_ref().map(number_of);
                assert_eq!(taken, pattern.take(&name(server), NOW));
                if let Some(number) = taken {
                    assert!(seen.insert(number), "taken twice");
                }
            }
            Step::SetHint(server, group) => {
                real.set_hint(&name(server), group);
                pattern.set_hint(&name(server), group);
            }
            Step::Hint(server) => {
                assert_eq!(real.hint(&name(server)), pattern.hint(&name(server)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn pattern_and_original_agree(steps in prop::collection::vec(step(), 1..200)) {
        thread_local! {
            static SOURCE: TicketSource = TicketSource::new();
        }
        SOURCE.with(|source| assert_same_behaviour(&steps, source));
    }
}

/// Eviction in insertion order, and the limit of 8 tickets, with fixed steps.
#[test]
fn servers_are_evicted_in_insertion_order_and_hold_eight_tickets() {
    let mut steps: Vec<_> = (0..12).map(|_| Step::Put(0)).collect();
    steps.extend((1..4).map(Step::Put));
    // Used again, but still evicted first.
    steps.extend([
        Step::Take(0),
        Step::SetHint(0, 29),
        Step::Put(5),
        Step::Hint(0),
    ]);
    steps.extend((0..10).map(|_| Step::Take(0)));
    steps.extend((1..6).map(Step::Take));
    assert_same_behaviour(&steps, &TicketSource::new());
}
