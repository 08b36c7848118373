//! A Redis Cluster, Sentinels, and a Unix socket.

use std::fmt::Write as _;

use lab::redis::{ClusterNode, RedisCluster, SentinelGroup};
use store_tiers::Tier as _;
use store_tiers::redis::RedisTier;

use super::server::{Server, eventually};
use super::{hours, id, long_timeouts, now, reusable, single_use, take};

pub(crate) fn cluster() -> RedisCluster {
    RedisCluster::start(3).unwrap_or_else(|why| panic!("{why}"))
}

pub(crate) fn sentinels() -> SentinelGroup {
    SentinelGroup::start().unwrap_or_else(|why| panic!("{why}"))
}

fn tier(url: &str) -> RedisTier {
    RedisTier::new(url, &long_timeouts()).expect("a valid address")
}

/// Sends a command, and returns its reply without the framing.
fn ask(node: &ClusterNode, command: &str) -> Vec<String> {
    let reply = node.ask(command).expect("a reply");
    let reply = String::from_utf8(reply).expect("text");
    let lines = reply
        .lines()
        .map(|line| line.trim_start_matches([':', '+']));
    lines
        .filter(|line| !line.starts_with(['*', '$']))
        .map(str::to_owned)
        .collect()
}

/// The slot of a server name, as Redis computes it.
pub(crate) fn slot_of(cluster: &RedisCluster, name: &str) -> u16 {
    let mut digits = String::new();
    for byte in id(name).as_bytes() {
        write!(digits, "{byte:02x}").unwrap();
    }
    ask(&cluster.nodes()[0], &format!("CLUSTER KEYSLOT {digits}"))[0]
        .parse()
        .unwrap()
}

/// The index of the primary that a slot began at.
pub(crate) fn first_owner(slot: u16) -> usize {
    (0..3)
        .find(|index| usize::from(slot) < (index + 1) * 16_384 / 3)
        .unwrap()
}

fn keys(node: &ClusterNode) -> Vec<String> {
    ask(node, "KEYS *")
}

#[test]
fn records_of_many_servers_are_spread_over_a_cluster() {
    let cluster = cluster();
    let (mut one, mut other) = (tier(&cluster.url()), tier(&cluster.url()));
    let names: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    let of = |name: &String| {
        [
            single_use(name, &format!("ticket of {name}"), hours(1)),
            reusable(name, &format!("copy of {name}"), hours(1)),
        ]
    };
    let records: Vec<_> = names.iter().flat_map(of).collect();
    one.put(&records, now()).unwrap();
    for node in &cluster.nodes()[..3] {
        assert!(keys(node).len() > 4, "{:?}", keys(node));
    }
    for name in &names {
        let [ticket, copy] = [format!("ticket of {name}"), format!("copy of {name}")];
        assert_eq!(take(&mut other, name, 9).unwrap(), [ticket, copy.clone()]);
        assert_eq!(take(&mut one, name, 9).unwrap(), [copy]);
    }
    other.remove(&id("7")).unwrap();
    assert_eq!(take(&mut one, "7", 9).unwrap(), [""; 0]);
    one.clear().unwrap();
    for node in &cluster.nodes()[..3] {
        assert_eq!(keys(node), [""; 0]);
    }
}

/// Values of another application under our keys are deleted at each node.
#[test]
fn values_of_another_type_are_deleted_in_a_cluster() {
    let cluster = cluster();
    let mut tier = tier(&cluster.url());
    let names: Vec<_> = (0..9).map(|n| n.to_string()).collect();
    let records: Vec<_> = names
        .iter()
        .map(|name| single_use(name, name, hours(1)))
        .collect();
    tier.put(&records, now()).unwrap();
    for node in &cluster.nodes()[..3] {
        for key in keys(node) {
            node.tell(&format!("SET {key} x")).unwrap();
        }
    }
    tier.put(&records, now()).unwrap();
    for name in &names {
        assert_eq!(take(&mut tier, name, 9).unwrap(), [name.as_str()]);
    }
}

#[test]
fn the_documented_rights_suffice_in_a_cluster() {
    let cluster = cluster();
    for node in cluster.nodes() {
        node.tell(
            "ACL SETUSER me reset on >pw ~tls-resume:* +multi +exec +zadd +zpopmax \
             +zremrangebyscore +zremrangebyrank +pexpireat +set +get +unlink +scan +info \
             +cluster|info +cluster|slots",
        )
        .unwrap();
    }
    let mut tier = tier(&cluster.url().replace("//", "//me:pw@"));
    tier.put(&[single_use("a", "ticket", hours(1))], now())
        .unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["ticket"]);
    tier.remove(&id("a")).unwrap();
    tier.clear().unwrap();
}

/// R7, R4: the slot's node has the same run as before, but another epoch.
#[test]
fn a_slot_that_comes_back_restores_no_taken_or_removed_record() {
    let cluster = cluster();
    let mut tier = tier(&cluster.url());
    let slot = slot_of(&cluster, "a");
    let home = first_owner(slot);
    let away = (home + 1) % 3;
    let records = [
        single_use("a", "ticket", hours(1)),
        reusable("a", "copy", hours(1)),
    ];
    tier.put(&records, now()).unwrap();
    cluster.move_slot(slot, home, away).unwrap();
    eventually("it is known", || take(&mut tier, "a", 9).is_ok());
    tier.put(&[single_use("a", "taken", hours(1))], now())
        .unwrap();
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["taken"]);
    tier.remove(&id("a")).unwrap();

    cluster.move_slot(slot, away, home).unwrap();
    let key = keys(&cluster.nodes()[home]);
    assert_eq!(key.len(), 2, "the keys from before are back: {key:?}");
    eventually("it is known", || take(&mut tier, "a", 9).is_ok());
    for mut tier in [tier, self::tier(&cluster.url())] {
        assert_eq!(take(&mut tier, "a", 9).unwrap(), [""; 0]);
        tier.put(&[single_use("a", "new", hours(1))], now())
            .unwrap();
        assert_eq!(take(&mut tier, "a", 9).unwrap(), ["new"]);
    }
}

/// R7: the replica has not received the take.
#[test]
fn a_promoted_replica_of_a_cluster_restores_no_taken_record() {
    let mut cluster = cluster();
    let mut tier = tier(&cluster.url());
    let primary = first_owner(slot_of(&cluster, "a"));
    tier.put(
        &[
            single_use("a", "taken", hours(1)),
            reusable("a", "copy", hours(1)),
        ],
        now(),
    )
    .unwrap();
    let replica = &cluster.nodes()[primary + 3];
    eventually("it is replicated", || keys(replica).len() == 2);
    replica.stop_replication().unwrap();
    assert_eq!(take(&mut tier, "a", 1).unwrap(), ["taken", "copy"]);
    cluster.node_mut(primary).kill();
    let replica = &cluster.nodes()[primary + 3];
    replica
        .wait_for("INFO replication", |info| info.contains("role:master"))
        .unwrap();
    assert_eq!(keys(replica).len(), 2, "redis has it");
    eventually("the cluster works", || take(&mut tier, "a", 9).is_ok());
    assert_eq!(take(&mut tier, "a", 9).unwrap(), [""; 0]);
    assert_eq!(
        take(&mut self::tier(&cluster.url()), "a", 9).unwrap(),
        [""; 0]
    );
}

#[test]
fn sentinels_say_where_the_primary_is() {
    let mut group = sentinels();
    let mut tier = tier(&group.url());
    let records = [
        single_use("a", "taken", hours(1)),
        reusable("a", "copy", hours(1)),
    ];
    tier.put(&records, now()).unwrap();
    eventually("it is replicated", || {
        let size = group.servers()[1].ask("DBSIZE").unwrap();
        size == b":2\r\n"
    });
    group.servers()[1].stop_replication().unwrap();
    assert_eq!(take(&mut tier, "a", 1).unwrap(), ["taken", "copy"]);
    group.server_mut(0).kill();
    group.wait_for_primary(1).unwrap();
    eventually("the replica is used", || take(&mut tier, "a", 9).is_ok());
    let size = group.servers()[1].ask("DBSIZE").unwrap();
    assert_eq!(size, b":2\r\n", "redis has it");
    for mut tier in [tier, self::tier(&group.url())] {
        assert_eq!(take(&mut tier, "a", 9).unwrap(), [""; 0]);
        tier.put(&records[..1], now()).unwrap();
        assert_eq!(take(&mut tier, "a", 9).unwrap(), ["taken"]);
    }
    let other = group.url().replace("/primary", "/other");
    let error = self::tier(&other).take(&id("a"), 1, now()).unwrap_err();
    assert!(
        error.to_string().contains("it knows no primary other"),
        "{error}"
    );
}

#[test]
fn a_unix_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("redis.sock");
    let server = Server::with(&format!("--unixsocket {} --requirepass pw", path.display()));
    let mut tier = tier(&format!("redis+unix://{}?pass=pw&db=2", path.display()));
    tier.put(&[single_use("a", "ticket", hours(1))], now())
        .unwrap();
    assert_eq!(server.keys(), [""; 0]);
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["ticket"]);
}
