//! R7: four processes at the same server, and the server watches the tickets.
//!
//! `CONNECTIONS=2500 cargo test --release -p examples once -- --nocapture` tries more.

use examples::mta::{Backend, Orders, Round, Tls};

use crate::common::{Town, crew, number, redis};

const PROCESSES: usize = 4;

/// Has each process make so many connections, and says what came of it.
fn four_at_once(town: &Town, orders: &Orders) {
    let all = vec![orders.clone(); PROCESSES];
    let told = crew(PROCESSES).deliver(&all).expect("deliveries");
    let seen = town.servers.ledger();
    let round = Round::new(&orders.store, &told, &seen);
    let (backend, tls) = (orders.backend, orders.tls.expect("a version"));
    let rate = round.rate_after_first.expect("more than one each");
    println!(
        "{:<5} {backend:<14} TLS {tls}: {} connections, {} resumed, {:.2} % after the first ones, \
         {} tickets offered, {} twice, median {} us",
        round.store,
        round.deliveries,
        round.resumed,
        rate * 100.0,
        seen.offers,
        seen.used_twice,
        round.handshake_us,
    );
    assert_eq!(seen.handshakes, PROCESSES * orders.messages);
    assert_eq!(seen.resumed, round.resumed_by_clients);
    assert_eq!(seen.used_twice, 0, "a ticket was offered twice");
    assert!(rate >= 0.95, "{rate}");
    match tls {
        Tls::Tls12 => assert_eq!(seen.offers, 0),
        Tls::Tls13 => assert!(seen.offers >= seen.resumed),
    }
    // Nothing that is kept there may turn out to be unusable.
    for last in told.iter().filter_map(|process| process.last()) {
        let tier = last.tier.expect("a shared store");
        assert_eq!((tier.failures, tier.rejected(), tier.lost), (0, 0, 0));
    }
}

fn all_kinds(store: impl Fn(&Town) -> String) {
    for backend in Backend::ALL {
        for tls in Tls::ALL {
            let town = Town::with(1);
            let mut orders = town.orders(&store(&town));
            orders.backend = backend;
            orders.tls = Some(tls);
            orders.messages = number("CONNECTIONS", 100);
            four_at_once(&town, &orders);
        }
    }
}

#[test]
fn no_ticket_is_used_twice_over_lmdb() {
    all_kinds(Town::lmdb);
}

#[test]
fn no_ticket_is_used_twice_over_redis() {
    let redis = redis();
    all_kinds(|_| redis.url());
}

/// The same when no process lives for longer than a connection, so that every session goes through
/// the store.
#[test]
fn no_ticket_is_used_twice_by_processes_of_one_connection() {
    let redis = redis();
    for shared in [None, Some(redis.url())] {
        let town = Town::with(1);
        let mut orders = town.orders(&shared.unwrap_or_else(|| town.lmdb()));
        orders.tls = Some(Tls::Tls13);
        let told = crew(8).deliver(&orders.split(100)).expect("deliveries");
        let seen = town.servers.ledger();
        let round = Round::new(&orders.store, &told, &seen);
        assert_eq!(seen.used_twice, 0);
        assert!(round.rate >= 0.8, "{round:?}");
    }
}
