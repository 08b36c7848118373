//! A Redis Cluster for a test.

use std::io;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use super::{RedisServer, RedisServerError, RedisSettings};
use crate::tcp::free_port;

/// The slots of a cluster.
const SLOTS: usize = 16_384;
/// How long a failover by command is waited for before it is asked for again.
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(2);

/// A cluster of primaries with a replica each, on 127.0.0.1. A primary that does not answer is replaced
/// after a second or two. Dropping it kills all nodes.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<ClusterNode>,
}

/// A node of a [`RedisCluster`].
#[derive(Debug)]
pub struct ClusterNode {
    server: RedisServer,
    bus_port: u16,
    id: String,
}

impl RedisCluster {
    /// Starts so many primaries and as many replicas, and waits until all slots are served and all
    /// replicas are in sync.
    pub fn start(primaries: usize) -> Result<Self, RedisServerError> {
        let nodes = (0..2 * primaries).map(|_| ClusterNode::start());
        let cluster = Self {
            nodes: nodes.collect::<Result<_, _>>()?,
        };
        let formed = cluster.form(primaries);
        formed.map_err(|source| RedisServerError::Start {
            program: String::from("a cluster"),
            source,
        })?;
        Ok(cluster)
    }

    fn form(&self, primaries: usize) -> io::Result<()> {
        for (index, node) in self.nodes[..primaries].iter().enumerate() {
            let (first, end) = (index * SLOTS / primaries, (index + 1) * SLOTS / primaries);
            node.tell(&format!("CLUSTER ADDSLOTSRANGE {first} {}", end - 1))?;
        }
        for (index, node) in self.nodes.iter().enumerate() {
            // Before they meet.
            node.tell(&format!("CLUSTER SET-CONFIG-EPOCH {}", index + 1))?;
        }
        for node in &self.nodes {
            for other in &self.nodes {
                let (port, bus_port) = (other.port(), other.bus_port);
                node.tell(&format!("CLUSTER MEET 127.0.0.1 {port} {bus_port}"))?;
            }
        }
        let known = format!("cluster_known_nodes:{}\r", self.nodes.len());
        for node in &self.nodes {
            node.wait_for("CLUSTER INFO", |info| info.contains(&known))?;
        }
        let (primaries, replicas) = self.nodes.split_at(primaries);
        for (primary, replica) in primaries.iter().zip(replicas) {
            // Until the nodes have met, it is not known.
            replica.wait_for(&format!("CLUSTER REPLICATE {}", primary.id), |reply| {
                reply.starts_with("+OK")
            })?;
        }
        self.wait_until_whole()
    }

    /// Waits until each node that answers says that all slots are served, and each replica is in sync.
    pub fn wait_until_whole(&self) -> io::Result<()> {
        for node in &self.nodes {
            if node.ask("PING").is_err() {
                continue;
            }
            node.wait_for("CLUSTER INFO", |info| info.contains("cluster_state:ok"))?;
            node.wait_for("INFO replication", |info| {
                info.contains("role:master") || info.contains("master_link_status:up")
            })?;
        }
        Ok(())
    }

    /// Its `redis-cluster://` URL, with the address of each node.
    pub fn url(&self) -> String {
        let addresses = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()));
        format!(
            "redis-cluster://{}",
            addresses.collect::<Vec<_>>().join(",")
        )
    }

    /// Its nodes: those that began as primaries, and then their replicas, in the same order.
    pub fn nodes(&self) -> &[ClusterNode] {
        &self.nodes
    }

    /// One of its [`nodes`](Self::nodes), to kill or restart it.
    pub fn node_mut(&mut self, index: usize) -> &mut ClusterNode {
        &mut self.nodes[index]
    }

    /// The slots of this node that have keys.
    pub fn used_slots(&self, index: usize) -> io::Result<Vec<u16>> {
        let node = &self.nodes[index];
        let mut slots = Vec::new();
        for key in node.list("KEYS *")? {
            let slot = node.ask(&format!("CLUSTER KEYSLOT {key}"))?;
            let slot = String::from_utf8_lossy(&slot)
                .trim()
                .trim_start_matches(':')
                .parse();
            slots.push(slot.map_err(io::Error::other)?);
        }
        slots.sort_unstable();
        slots.dedup();
        Ok(slots)
    }

    /// Moves a slot with its keys from one primary to another, by their indexes, as `redis-cli
    /// --cluster reshard` does.
    pub fn move_slot(&self, slot: u16, from: usize, to: usize) -> io::Result<()> {
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        target.tell(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", source.id))?;
        source.tell(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", target.id))?;
        loop {
            let keys = source.list(&format!("CLUSTER GETKEYSINSLOT {slot} 100"))?;
            if keys.is_empty() {
                break;
            }
            for key in keys {
                source.ask(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", target.port()))?;
            }
        }
        target.tell(&format!("CLUSTER SETSLOT {slot} NODE {}", target.id))?;
        source.tell(&format!("CLUSTER SETSLOT {slot} NODE {}", target.id))
    }
}

impl ClusterNode {
    fn start() -> Result<Self, RedisServerError> {
        let start_error = |source| RedisServerError::Start {
            program: super::program(),
            source,
        };
        let bus_port = free_port().map_err(start_error)?;
        let options = format!(
            "--cluster-enabled yes --cluster-port {bus_port} --cluster-node-timeout 1000 \
             --repl-diskless-sync-delay 0"
        );
        let server = RedisServer::start_with(RedisSettings {
            options: options.split_whitespace().map(str::to_owned).collect(),
            ..RedisSettings::default()
        })?;
        let reply = server.ask("CLUSTER MYID").map_err(start_error)?;
        let id = String::from_utf8_lossy(&reply)
            .lines()
            .nth(1)
            .map(str::to_owned);
        Ok(Self {
            id: id.unwrap_or_default(),
            bus_port,
            server,
        })
    }

    /// Promotes this replica by `CLUSTER FAILOVER`, and waits until it is the primary. The others vote
    /// for the replicas of one primary only every two seconds, so the command is repeated.
    pub fn fail_over(&self) -> io::Result<()> {
        let mut asked = None::<Instant>;
        self.wait_for("INFO replication", |info| {
            let is_primary = info.contains("role:master");
            if !is_primary && asked.is_none_or(|at| at.elapsed() > FAILOVER_TIMEOUT) {
                let _ = self.ask("CLUSTER FAILOVER");
                asked = Some(Instant::now());
            }
            is_primary
        })?;
        Ok(())
    }

    /// Sends a command whose reply is a list of words.
    fn list(&self, command: &str) -> io::Result<Vec<String>> {
        let reply = self.ask(command)?;
        let reply = String::from_utf8_lossy(&reply).into_owned();
        let words = reply.lines().filter(|line| !line.starts_with(['*', '$']));
        Ok(words.map(str::to_owned).collect())
    }

    /// Sends a command that succeeds with `OK`.
    pub fn tell(&self, command: &str) -> io::Result<()> {
        self.wait_for(command, |_| true)
            .and_then(|reply| match &*reply {
                "+OK\r\n" => Ok(()),
                _ => Err(io::Error::other(format!("{command}: {reply}"))),
            })
    }
}

impl Deref for ClusterNode {
    type Target = RedisServer;

    fn deref(&self) -> &RedisServer {
        &self.server
    }
}

impl DerefMut for ClusterNode {
    fn deref_mut(&mut self) -> &mut RedisServer {
        &mut self.server
    }
}
