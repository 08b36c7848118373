//! R7: four processes deliver to the same server, which checks that no ticket is offered twice.
//!
//! `CONNECTIONS=2500 cargo test --release -p examples mta::once -- --nocapture` runs for longer.

use examples::mta::{Backend, Job, Summary, Tls};

use super::common::{Fixture, number, redis, workers};

const PROCESSES: usize = 4;

/// Runs the job in four processes at the same time, and checks the results.
fn four_at_once(fixture: &Fixture, job: &Job) {
    let jobs = vec![job.clone(); PROCESSES];
    let deliveries = workers(PROCESSES).run(&jobs).expect("deliveries");
    let log = fixture.servers.log();
    let summary = Summary::new(&job.store, &deliveries, &log);
    let (backend, tls) = (job.backend, job.tls.expect("a version"));
    let rate = summary.rate_after_first.expect("more than one each");
    println!(
        "{:<5} {backend:<14} TLS {tls}: {} connections, {} resumed, {:.2} % after the first ones, \
         {} tickets offered, {} twice, median {} us",
        summary.store,
        summary.deliveries,
        summary.resumed,
        rate * 100.0,
        log.offers,
        log.used_twice,
        summary.handshake_us,
    );
    assert_eq!(log.handshakes, PROCESSES * job.messages);
    assert_eq!(log.resumed, summary.resumed_by_clients);
    assert_eq!(log.used_twice, 0, "a ticket was offered twice");
    assert!(rate >= 0.95, "{rate}");
    match tls {
        Tls::Tls12 => assert_eq!(log.offers, 0),
        Tls::Tls13 => assert!(log.offers >= log.resumed),
    }
    // The store returned no unusable session.
    for last in deliveries.iter().filter_map(|process| process.last()) {
        let tier = last.tier.expect("a shared store");
        assert_eq!((tier.failures, tier.rejected(), tier.lost), (0, 0, 0));
    }
}

fn all_kinds(store: impl Fn(&Fixture) -> String) {
    for backend in Backend::ALL {
        for tls in Tls::ALL {
            let fixture = Fixture::new(1);
            let mut job = fixture.job(&store(&fixture));
            job.backend = backend;
            job.tls = Some(tls);
            job.messages = number("CONNECTIONS", 100);
            four_at_once(&fixture, &job);
        }
    }
}

#[test]
fn no_ticket_is_used_twice_over_lmdb() {
    all_kinds(Fixture::lmdb);
}

#[test]
fn no_ticket_is_used_twice_over_redis() {
    let redis = redis();
    all_kinds(|_| redis.url());
}

/// As above with one connection per process, so that every session passes through the store.
#[test]
fn no_ticket_is_used_twice_by_processes_with_one_connection() {
    let redis = redis();
    for shared in [None, Some(redis.url())] {
        let fixture = Fixture::new(1);
        let mut job = fixture.job(&shared.unwrap_or_else(|| fixture.lmdb()));
        job.tls = Some(Tls::Tls13);
        let deliveries = workers(8).run(&job.split(100)).expect("deliveries");
        let log = fixture.servers.log();
        let summary = Summary::new(&job.store, &deliveries, &log);
        assert_eq!(log.used_twice, 0);
        assert!(summary.rate >= 0.8, "{summary:?}");
    }
}
