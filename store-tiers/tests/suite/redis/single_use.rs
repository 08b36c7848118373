//! R7: a taken record does not come back, also after a restart or failover of Redis.

use std::collections::HashSet;
use std::thread;

use store_tiers::Tier as _;

use super::server::{Server, eventually};
use super::{hours, now, reusable, single_use, take, tier};

#[test]
fn no_record_is_taken_by_two_threads() {
    const RECORDS: usize = 2_000;
    let server = Server::start();
    let settings = super::long_timeouts().with_sessions_per_server(RECORDS);
    let tier = || store_tiers::redis::RedisTier::new(&server.url(), &settings).unwrap();
    let taken = thread::scope(|scope| {
        let takers: Vec<_> = (0..8)
            .map(|taker| {
                let mut tier = tier();
                scope.spawn(move || {
                    // Puts its share of the records while the others take.
                    let mut taken = Vec::new();
                    for record in 0..RECORDS / 8 {
                        let name = format!("{taker}-{record}");
                        tier.put(&[single_use("a", &name, hours(1))], now())
                            .unwrap();
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
    let distinct: HashSet<_> = rest.iter().collect();
    assert_eq!(distinct.len(), rest.len(), "none twice");
    assert_eq!(rest.len(), RECORDS, "none lost");
}

/// A crash, and a snapshot from before the take: Redis has the record again, under an unused key.
#[test]
fn a_restart_from_a_snapshot_restores_no_taken_record() {
    let mut server = Server::start();
    let mut tier = tier(&server);
    let records = [
        single_use("a", "taken", hours(2)),
        single_use("a", "left", hours(1)),
        reusable("a", "copy", hours(1)),
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
    // With the same tier, and with a new one.
    assert_eq!(take(&mut tier, "a", 9).unwrap(), [""; 0]);
    assert_eq!(take(&mut super::tier(&server), "a", 9).unwrap(), [""; 0]);

    tier.put(&[single_use("a", "new", hours(1))], now())
        .unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["new"]);
}

fn replicate(primary: &Server, replica: &Server) {
    replica.ask::<()>(&format!("REPLICAOF 127.0.0.1 {}", primary.port()));
    eventually("the replica is in sync", || {
        let info: String = replica.ask("INFO replication");
        info.contains("master_link_status:up")
    });
}

/// A replica is promoted that has not received the take.
#[test]
fn a_promoted_replica_restores_no_taken_record() {
    let (primary, replica) = (Server::start(), Server::start());
    replicate(&primary, &replica);
    let mut tier = tier(&primary);
    let records = [
        single_use("a", "taken", hours(1)),
        reusable("a", "copy", hours(1)),
    ];
    tier.put(&records, now()).unwrap();
    eventually("it is replicated", || replica.keys().len() == 2);

    let error = super::tier(&replica).take(&super::id("a"), 1, now());
    assert!(error.unwrap_err().to_string().contains("it is a replica"));

    replica.ask::<()>("REPLICAOF NO ONE");
    assert_eq!(take(&mut tier, "a", 1).unwrap(), ["taken", "copy"]);
    assert_eq!(take(&mut super::tier(&replica), "a", 1).unwrap(), [""; 0]);
}

/// R4.
#[test]
fn a_restart_from_a_snapshot_restores_no_removed_record() {
    let mut server = Server::start();
    let mut tier = tier(&server);
    tier.put(&[reusable("a", "copy", hours(1))], now()).unwrap();
    server.ask::<()>("SAVE");
    tier.remove(&super::id("a")).unwrap();
    server.kill();
    server.restart().unwrap();
    assert_eq!(server.keys().len(), 1, "redis has it");
    assert_eq!(take(&mut tier, "a", 9).unwrap(), [""; 0]);
}

/// The primary becomes a replica of one that has not received the take, and then the primary again.
/// It has the same `run_id`, and our connection to it stays open.
#[test]
fn a_failover_and_back_restores_no_taken_record() {
    let (primary, replica) = (Server::start(), Server::start());
    replicate(&primary, &replica);
    let mut tier = tier(&primary);
    tier.put(&[single_use("a", "taken", hours(1))], now())
        .unwrap();
    eventually("it is replicated", || replica.keys().len() == 1);

    replica.ask::<()>("REPLICAOF NO ONE");
    assert_eq!(take(&mut tier, "a", 1).unwrap(), ["taken"]);
    replicate(&replica, &primary);
    primary.ask::<()>("REPLICAOF NO ONE");
    let key = primary.key("once");
    assert_eq!(
        primary.ask::<u64>(&format!("ZCARD {key}")),
        1,
        "redis has it"
    );

    // Longer than a connection keeps its run id before it reads it again.
    thread::sleep(std::time::Duration::from_millis(1_100));
    assert!(
        take(&mut tier, "a", 1).is_err(),
        "the records of another run are discarded"
    );
    assert_eq!(take(&mut tier, "a", 1).unwrap(), [""; 0]);
    assert_eq!(take(&mut super::tier(&primary), "a", 1).unwrap(), [""; 0]);
}
