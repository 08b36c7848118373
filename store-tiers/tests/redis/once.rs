//! R7: a single-use record that was taken never comes back, whatever Redis goes through.

use std::collections::HashSet;
use std::thread;

use store_tiers::Tier as _;

use crate::server::{Server, eventually};
use crate::{hours, now, often, once, take, tier};

#[test]
fn no_thread_takes_what_another_took() {
    const RECORDS: usize = 2_000;
    let server = Server::start();
    let settings = crate::patient().with_sessions_per_server(RECORDS);
    let tier = || store_tiers::redis::RedisTier::new(&server.url(), &settings).unwrap();
    let taken = thread::scope(|scope| {
        let takers: Vec<_> = (0..8)
            .map(|taker| {
                let mut tier = tier();
                scope.spawn(move || {
                    // Puts its share while the others take.
                    let mut taken = Vec::new();
                    for record in 0..RECORDS / 8 {
                        let name = format!("{taker}-{record}");
                        tier.put(&[once("a", &name, hours(1))], now()).unwrap();
                        taken.extend(take(&mut tier, "a", record % 3).unwrap());
                    }
                    taken
                })
            })
            .collect();
        let taken = takers.into_iter().flat_map(|taker| taker.join().unwrap());
        taken.collect::<Vec<_>>()
    });
    let mut rest = take(&mut tier(), "a", RECORDS).unwrap();
    rest.extend(taken);
    let different: HashSet<_> = rest.iter().collect();
    assert_eq!(different.len(), rest.len(), "none twice");
    assert_eq!(rest.len(), RECORDS, "none lost");
}

/// A crash and a snapshot from before the take: Redis has the record again, and nobody gets it.
#[test]
fn a_restart_from_a_snapshot_brings_nothing_back() {
    let mut server = Server::start();
    let mut tier = tier(&server);
    let records = [
        once("a", "taken", hours(2)),
        once("a", "left", hours(1)),
        often("a", "copy", hours(1)),
    ];
    tier.put(&records, now()).unwrap();
    server.ask::<()>("SAVE");
    assert_eq!(take(&mut tier, "a", 1).unwrap(), ["taken", "copy"]);

    server.kill();
    server.restart().unwrap();
    let key = server.key("once");
    assert_eq!(
        server.ask::<u64>(&format!("ZCARD {key}")),
        2,
        "redis has it"
    );
    assert!(
        server.ask::<i64>(&format!("PTTL {key}")) > 0,
        "not for ever"
    );
    // On the same connection's tier, and on a new one.
    assert_eq!(take(&mut tier, "a", 9).unwrap(), [""; 0]);
    assert_eq!(take(&mut crate::tier(&server), "a", 9).unwrap(), [""; 0]);

    tier.put(&[once("a", "new", hours(1))], now()).unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["new"]);
}

fn replicates(replica: &Server, of: &Server) {
    replica.ask::<()>(&format!("REPLICAOF 127.0.0.1 {}", of.port()));
    eventually("the replica has it all", || {
        let info: String = replica.ask("INFO replication");
        info.contains("master_link_status:up")
    });
}

/// A replica takes over that had not heard of the take.
#[test]
fn a_replica_that_takes_over_brings_nothing_back() {
    let (primary, replica) = (Server::start(), Server::start());
    replicates(&replica, &primary);
    let mut tier = tier(&primary);
    let records = [once("a", "taken", hours(1)), often("a", "copy", hours(1))];
    tier.put(&records, now()).unwrap();
    eventually("it is replicated", || replica.keys().len() == 2);

    let error = crate::tier(&replica).take(&crate::id("a"), 1, now());
    assert!(error.unwrap_err().to_string().contains("it is a replica"));

    replica.ask::<()>("REPLICAOF NO ONE");
    assert_eq!(take(&mut tier, "a", 1).unwrap(), ["taken", "copy"]);
    assert_eq!(take(&mut crate::tier(&replica), "a", 1).unwrap(), [""; 0]);
}

/// R4: what was revoked does not come back by a crash either.
#[test]
fn a_restart_from_a_snapshot_brings_nothing_back_that_was_removed() {
    let mut server = Server::start();
    let mut tier = tier(&server);
    tier.put(&[often("a", "copy", hours(1))], now()).unwrap();
    server.ask::<()>("SAVE");
    tier.remove(&crate::id("a")).unwrap();
    server.kill();
    server.restart().unwrap();
    assert_eq!(server.keys().len(), 1, "redis has it");
    assert_eq!(take(&mut tier, "a", 9).unwrap(), [""; 0]);
}

/// There and back: the first primary becomes a replica of what had not heard of the take, and then
/// the primary again. It is the same process with the same `run_id`, and our connection to it never
/// broke.
#[test]
fn a_failover_and_back_brings_nothing_back() {
    let (primary, replica) = (Server::start(), Server::start());
    replicates(&replica, &primary);
    let mut tier = tier(&primary);
    tier.put(&[once("a", "taken", hours(1))], now()).unwrap();
    eventually("it is replicated", || replica.keys().len() == 1);

    replica.ask::<()>("REPLICAOF NO ONE");
    assert_eq!(take(&mut tier, "a", 1).unwrap(), ["taken"]);
    replicates(&primary, &replica);
    primary.ask::<()>("REPLICAOF NO ONE");
    let key = primary.key("once");
    assert_eq!(
        primary.ask::<u64>(&format!("ZCARD {key}")),
        1,
        "redis has it"
    );

    // Past the time for which a connection takes the run for granted.
    thread::sleep(std::time::Duration::from_millis(1_100));
    assert!(
        take(&mut tier, "a", 1).is_err(),
        "what it finds, it throws away"
    );
    assert_eq!(take(&mut tier, "a", 1).unwrap(), [""; 0]);
    assert_eq!(take(&mut crate::tier(&primary), "a", 1).unwrap(), [""; 0]);
}
