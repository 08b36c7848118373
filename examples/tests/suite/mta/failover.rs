//! R7, R20: processes deliver over a Redis Cluster, or a Redis with Sentinels, whose nodes fail. The
//! mail servers count: no ticket is offered twice, and no delivery fails. Each test takes some seconds,
//! so `scripts/check` runs them, with `--ignored`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use examples::mta::Tls;
use lab::redis::{RedisCluster, SentinelGroup};

use super::common::{Fixture, workers};

/// Mail servers: so many that processes take most sessions from the store.
const SERVERS: usize = 12;
const PROCESSES: usize = 3;
/// How long a test waits for something.
const LONG: Duration = Duration::from_secs(60);

/// Sets a flag when it is dropped, after a failed assertion, too.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Delivers while `events` happen, and until new processes resume with each server.
fn deliver_during(what: &str, store: &str, events: impl FnOnce()) {
    let fixture = Fixture::new(SERVERS);
    let mut job = fixture.job(store);
    job.tls = Some(Tls::Tls13);
    let (done, delivered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let back = thread::scope(|scope| {
        let _end = SetOnDrop(&done);
        for process in 0..PROCESSES {
            let mut endless = job.clone();
            (endless.messages, endless.first) = (usize::MAX, process * SERVERS / PROCESSES);
            let (done, delivered) = (&done, &delivered);
            scope.spawn(move || {
                let mut process = workers(1).start(&endless).expect("a process");
                while !done.load(Ordering::Relaxed) {
                    let delivery = process.next_delivery().expect("mail is delivered");
                    assert!(delivery.is_some(), "the process goes on");
                    delivered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let until = |what: &str, holds: &dyn Fn() -> bool| {
            let began = Instant::now();
            while !holds() {
                assert!(
                    began.elapsed() < LONG && !done.load(Ordering::Relaxed),
                    "never: {what}"
                );
                thread::sleep(Duration::from_millis(20));
            }
        };
        let is_shared = |server: usize| {
            let mut once = job.clone();
            once.first = server;
            let deliveries = workers(1).run(&[once]).expect("mail is delivered");
            deliveries[0][0].resumed
        };
        until("enough mail", &|| {
            delivered.load(Ordering::Relaxed) > 20 * SERVERS
        });
        for server in 0..SERVERS {
            until("sessions are shared", &|| is_shared(server));
        }
        events();
        let began = Instant::now();
        for server in 0..SERVERS {
            until("sessions are shared again", &|| is_shared(server));
        }
        began.elapsed()
    });
    let log = fixture.servers.log();
    println!(
        "{what}: {} handshakes, {} resumed, {} tickets offered, {} twice; sessions of all {SERVERS} \
         servers are shared again {} ms after the last event",
        log.handshakes,
        log.resumed,
        log.offers,
        log.used_twice,
        back.as_millis()
    );
    assert_eq!(log.used_twice, 0, "a ticket was offered twice");
    assert!(log.resumed > log.handshakes / 2, "too few resumptions");
}

#[test]
#[ignore = "some seconds: scripts/check"]
fn mail_is_delivered_while_nodes_of_a_cluster_fail() {
    let mut cluster = RedisCluster::start(3).expect("a cluster");
    let url = cluster.url();
    deliver_during("a primary is killed", &url, || {
        // The replica does not hear of the last sessions that are taken.
        cluster.nodes()[3].stop_replication().expect("a replica");
        thread::sleep(Duration::from_millis(300));
        cluster.node_mut(0).kill();
    });
    let cluster = RedisCluster::start(3).expect("a cluster");
    let nodes = cluster.nodes();
    deliver_during("CLUSTER FAILOVER", &cluster.url(), || {
        nodes[3].fail_over().expect("a failover");
    });
    deliver_during("a primary is paused, and continues", &cluster.url(), || {
        nodes[1].pause();
        let is_primary = |info: &str| info.contains("role:master");
        nodes[4]
            .wait_for("INFO replication", is_primary)
            .expect("a failover");
        nodes[1].resume();
    });
    deliver_during("slots move", &cluster.url(), || {
        for _ in 0..3 {
            let slots = cluster.used_slots(2).expect("slots");
            for (from, to) in [(2, 3), (3, 2)] {
                for slot in &slots {
                    cluster.move_slot(*slot, from, to).expect("it moves");
                    thread::sleep(Duration::from_millis(50));
                }
            }
        }
    });
}

#[test]
#[ignore = "some seconds: scripts/check"]
fn mail_is_delivered_while_sentinels_promote_a_replica() {
    let mut group = SentinelGroup::start().expect("Sentinels");
    let url = group.url();
    deliver_during("Sentinels promote by command", &url, || {
        group.fail_over().expect("a failover");
        group.wait_for_primary(1).expect("a failover");
    });
    deliver_during("the primary is killed", &url, || {
        group.wait_until_whole().expect("all are in sync");
        group.servers()[0].stop_replication().expect("a replica");
        thread::sleep(Duration::from_millis(300));
        group.server_mut(1).kill();
        group.wait_for_primary(0).expect("a failover");
    });
}
