//! Tests of the simulation: it detects misuse, and its ceiling is the true maximum.

use std::collections::HashMap;
use std::sync::Mutex;

use super::*;
use crate::Peer;

fn plan() -> Plan {
    Plan {
        connections: 8_000,
        servers: 500,
        ..Plan::quick(5)
    }
}

/// A client that keeps one ticket per server and offers it again and again.
#[derive(Default)]
struct Naive(Mutex<HashMap<ServerName<'static>, Ticket>>);

impl Peer<Ticket> for Naive {
    fn put(
        &self,
        server: &ServerName<'static>,
        value: Ticket,
        _expires: Timestamp,
        _weight: usize,
        _now: Timestamp,
    ) {
        self.0
            .lock()
            .unwrap()
            .entry(server.clone())
            .or_insert(value);
    }

    fn take(&self, server: &ServerName<'static>, _now: Timestamp) -> Option<Ticket> {
        self.0.lock().unwrap().get(server).cloned()
    }

    fn set_hint(&self, _: &ServerName<'static>, _: u16) {}

    fn hint(&self, _: &ServerName<'static>) -> Option<u16> {
        None
    }
}

#[test]
fn a_client_that_offers_a_ticket_twice_is_detected() {
    for kind in Kind::ALL {
        let trace = Trace::new(kind, &plan());
        let mut servers = Servers::new(&trace.profiles);
        replay(&trace, &Naive::default(), &mut servers);
        let tally = servers.tally();
        assert!(
            tally.used_twice > tally.connections / 4,
            "{kind:?}: {tally:?}"
        );
        // A crawl of so few connections ends before any ticket expires.
        let late = tally.expired > 0 || kind == Kind::Crawl;
        assert!(late, "{kind:?}: {tally:?}");
        assert!(tally.resumed < tally.connections / 4, "{kind:?}: {tally:?}");
    }
}

/// The most connections that any client can resume, computed without a store: each arrival uses the
/// newest valid tickets.
fn max_resumed(trace: &Trace) -> u64 {
    let mut tickets: HashMap<u32, Vec<Timestamp>> = HashMap::new();
    let mut resumed = 0;
    for (number, arrival) in trace.arrivals.iter().enumerate() {
        let profile = trace.profiles[arrival.server as usize];
        let valid = tickets.entry(arrival.server).or_default();
        valid.retain(|expires| *expires > arrival.at);
        let resume = valid.len().min(arrival.connections.into());
        valid.truncate(valid.len() - resume);
        let full = usize::from(arrival.connections) - resume;
        let new =
            resume * usize::from(profile.after_resumed) + full * usize::from(profile.after_full);
        valid.extend((0..new).map(|_| arrival.at.after(profile.lifetime)));
        resumed += if number < trace.warm_up {
            0
        } else {
            resume as u64
        };
    }
    resumed
}

#[test]
fn the_ceiling_is_the_most_that_can_be_resumed() {
    for kind in Kind::ALL {
        let trace = Trace::new(kind, &plan());
        let most = max_resumed(&trace);
        let ceiling = Rate::measure(&trace, Store::Ceiling, 0).tally;
        assert_eq!(ceiling.resumed, most, "{kind:?}");
        let counted = &trace.arrivals[trace.warm_up..];
        let expected: u64 = counted
            .iter()
            .map(|arrival| u64::from(arrival.connections))
            .sum();
        assert_eq!(ceiling.connections, expected, "{kind:?}");
        assert!(
            most < expected,
            "{kind:?}: first connections cannot be resumed"
        );
    }
}

#[test]
fn our_store_reaches_the_ceiling_with_enough_space() {
    for kind in Kind::ALL {
        let trace = Trace::new(kind, &plan());
        let plenty = trace.profiles.len() * 64 * TICKET_BYTES * 8;
        let ours = Rate::measure(&trace, Store::TlsResume, plenty).tally;
        assert_eq!(ours.resumed, max_resumed(&trace), "{kind:?}");
    }
}

#[test]
fn every_trace_is_replayed_on_every_store_with_every_budget() {
    let plan = Plan {
        connections: 2_000,
        parts: vec![16, 4],
        ..plan()
    };
    let mut steps = 0;
    let rates = measure(&plan, &mut |_| steps += 1);
    assert_eq!((steps, rates.len()), (plan.steps(), plan.steps()));
    let mut rates = rates.iter();
    for kind in &plan.kinds {
        for part in &plan.parts {
            for store in Store::ALL {
                let rate = rates.next().unwrap();
                assert_eq!((&rate.trace, rate.store), (&kind.name(), store));
                assert_eq!(rate.budget, plan.budget(*part));
            }
        }
    }
}
