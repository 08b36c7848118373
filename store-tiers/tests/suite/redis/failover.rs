//! R7 under load: machines put and take while nodes fail and slots move. Each takes some seconds, so
//! `scripts/check` runs them, with `--ignored`.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lab::redis::{ClusterNode, RedisCluster, RedisServer};
use store_tiers::Tier as _;
use store_tiers::redis::{RedisSettings, RedisTier};

use super::cluster::{cluster, first_owner, sentinels, slot_of};
use super::server::eventually;
use super::{hours, now, single_use, take};

/// Machines, each with a tier of its own.
const MACHINES: usize = 4;
/// Servers whose sessions they share: some at each primary of a cluster.
const SERVERS: usize = 12;

fn tier(url: &str) -> RedisTier {
    let (connect, answer) = (Duration::from_millis(500), Duration::from_millis(300));
    let settings = RedisSettings::default().with_timeouts(connect, answer);
    RedisTier::new(url, &settings).expect("a valid address")
}

/// Sets a flag when it is dropped, after a failed assertion, too.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `events` while the machines put and take, and checks that no record is taken twice, that the
/// tier works for each server after the events, and that records were taken before and after them.
fn under_load(what: &str, url: &str, events: impl FnOnce()) {
    let done = AtomicBool::new(false);
    let taken = Mutex::new(HashMap::<String, usize>::new());
    let (mut back, mut before) = (Duration::ZERO, 0);
    thread::scope(|scope| {
        let _end = SetOnDrop(&done);
        for machine in 0..MACHINES {
            let (done, taken) = (&done, &taken);
            scope.spawn(move || {
                let mut tier = tier(url);
                for number in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let server = ((number * 5 + machine) % SERVERS).to_string();
                    let record =
                        single_use(&server, &format!("{what} {machine} {number}"), hours(1));
                    let failed = tier.put(&[record], now()).is_err();
                    let other = ((number * 7 + machine) % SERVERS).to_string();
                    let records = take(&mut tier, &other, 1);
                    if failed || records.is_err() {
                        thread::sleep(Duration::from_millis(20)); // as the breaker does
                    }
                    for record in records.unwrap_or_default() {
                        *taken.lock().unwrap().entry(record).or_default() += 1;
                    }
                }
            });
        }
        let count = || taken.lock().unwrap().len();
        eventually("records are taken", || count() > 200);
        before = count();
        events();
        let began = Instant::now();
        let mut probe = tier(url);
        for server in 0..SERVERS {
            let server = server.to_string();
            eventually("it works again", || {
                let record = single_use(&server, &format!("probe {server}"), hours(2));
                probe.put(&[record], now()).is_ok() && take(&mut probe, &server, 1).is_ok()
            });
        }
        back = began.elapsed();
        let after = count();
        eventually("records are taken again", || count() > after + 200);
    });
    let taken = taken.into_inner().unwrap();
    let twice: Vec<_> = taken
        .iter()
        .filter(|(record, count)| !record.starts_with("probe") && **count > 1)
        .collect();
    println!(
        "{what}: {} records taken, {before} of them before, works again {} ms after the last event",
        taken.len(),
        back.as_millis()
    );
    assert!(twice.is_empty(), "taken twice: {twice:?}");
}

/// Lets machines take records while the replica does not hear of it, which is promoted then.
fn cut_off(replica: &RedisServer) {
    replica.stop_replication().unwrap();
    thread::sleep(Duration::from_millis(300));
}

#[test]
#[ignore = "some seconds: scripts/check"]
fn a_primary_of_a_cluster_is_killed() {
    let mut cluster = cluster();
    let url = cluster.url();
    under_load("a primary is killed", &url, || {
        cut_off(&cluster.nodes()[3]);
        cluster.node_mut(0).kill();
    });
    under_load(
        "it restarts as a replica, and its successor is killed",
        &url,
        || {
            cluster.node_mut(0).restart().unwrap();
            cluster.wait_until_whole().unwrap();
            cluster.node_mut(3).kill();
        },
    );
}

#[test]
#[ignore = "some seconds: scripts/check"]
fn replicas_of_a_cluster_are_promoted_by_command() {
    let cluster = cluster();
    under_load("CLUSTER FAILOVER, there and back", &cluster.url(), || {
        for promoted in [3, 0, 3, 4] {
            cluster.nodes()[promoted].fail_over().unwrap();
            cluster.wait_until_whole().unwrap();
        }
    });
}

#[test]
#[ignore = "some seconds: scripts/check"]
fn slots_move_under_load() {
    let cluster = cluster();
    under_load("slots move, there and back", &cluster.url(), || {
        for server in 0..SERVERS {
            let slot = slot_of(&cluster, &server.to_string());
            let home = first_owner(slot);
            wait_until_epochs_agree(&cluster);
            cluster.move_slot(slot, home, (home + 1) % 3).unwrap();
            wait_until_epochs_agree(&cluster);
            cluster.move_slot(slot, (home + 1) % 3, home).unwrap();
        }
    });
}

/// A move makes an epoch, by what its node knows of others. With equal ones, nodes would disagree on the
/// owner of a slot.
fn wait_until_epochs_agree(cluster: &RedisCluster) {
    let end = Instant::now() + Duration::from_secs(30);
    let epoch = |node: &ClusterNode| {
        let info = node.ask("CLUSTER INFO").unwrap();
        let info = String::from_utf8_lossy(&info).into_owned();
        let epochs = info
            .lines()
            .find(|line| line.starts_with("cluster_current_epoch"));
        epochs.map(str::to_owned)
    };
    loop {
        let epochs: Vec<_> = cluster.nodes()[..3].iter().map(epoch).collect();
        if epochs.iter().all(|one| one.is_some() && *one == epochs[0]) {
            return;
        }
        assert!(Instant::now() < end, "{epochs:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The primary believes that it is one when it continues, until it hears of the other.
#[test]
#[ignore = "some seconds: scripts/check"]
fn a_primary_of_a_cluster_is_paused() {
    let cluster = cluster();
    under_load("a primary is paused, and continues", &cluster.url(), || {
        let (primary, replica) = (&cluster.nodes()[1], &cluster.nodes()[4]);
        primary.pause();
        replica
            .wait_for("INFO replication", |info| info.contains("role:master"))
            .unwrap();
        thread::sleep(Duration::from_millis(500));
        primary.resume();
        primary
            .wait_for("INFO replication", |info| info.contains("role:slave"))
            .unwrap();
    });
}

#[test]
#[ignore = "some seconds: scripts/check"]
fn sentinels_promote_a_replica() {
    let mut group = sentinels();
    let url = group.url();
    under_load("Sentinels promote by command", &url, || {
        group.fail_over().unwrap();
        group.wait_for_primary(1).unwrap();
    });
    under_load("the primary is paused, and continues", &url, || {
        group.wait_until_whole().unwrap();
        group.servers()[1].pause();
        group.wait_for_primary(0).unwrap();
        group.servers()[1].resume();
    });
    under_load("the primary is killed", &url, || {
        group.wait_until_whole().unwrap();
        cut_off(&group.servers()[1]);
        group.server_mut(0).kill();
        group.wait_for_primary(1).unwrap();
    });
}
