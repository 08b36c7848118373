//! Sentinels for a test, with a primary and a replica.

use std::io;

use super::{RedisServer, RedisServerError, RedisSettings};

/// The name by which the Sentinels know the primary.
const NAME: &str = "primary";
/// How many Sentinels there are; two of them decide that the primary is down.
const SENTINELS: usize = 3;

/// A primary, a replica and three Sentinels, on 127.0.0.1, which replace a primary that does not answer
/// for a second. Dropping it kills all of them.
#[derive(Debug)]
pub struct SentinelGroup {
    servers: [RedisServer; 2],
    sentinels: Vec<RedisServer>,
}

impl SentinelGroup {
    /// Starts them, and waits until the Sentinels know each other and the replica.
    pub fn start() -> Result<Self, RedisServerError> {
        let primary = server("")?;
        let replica = server(&format!("--replicaof 127.0.0.1 {}", primary.port()))?;
        let config = format!(
            "sentinel monitor {NAME} 127.0.0.1 {} 2\n\
             sentinel down-after-milliseconds {NAME} 1000\n\
             sentinel failover-timeout {NAME} 3000\n",
            primary.port()
        );
        let sentinel = || {
            RedisServer::start_with(RedisSettings {
                options: vec![String::from("--sentinel")],
                config: Some(config.clone()),
                ..RedisSettings::default()
            })
        };
        let group = Self {
            sentinels: (0..SENTINELS)
                .map(|_| sentinel())
                .collect::<Result<_, _>>()?,
            servers: [primary, replica],
        };
        group
            .wait_until_whole()
            .map_err(|source| RedisServerError::Start {
                program: String::from("a group of Sentinels"),
                source,
            })?;
        Ok(group)
    }

    /// Waits until the Sentinels know each other and the replica, which is in sync.
    pub fn wait_until_whole(&self) -> io::Result<()> {
        for server in &self.servers {
            server.wait_for("INFO replication", |info| {
                info.contains("role:master") || info.contains("master_link_status:up")
            })?;
        }
        for sentinel in &self.sentinels {
            sentinel.wait_for("INFO sentinel", |info| {
                info.contains("status=ok,address=127.0.0.1")
                    && info.contains(&format!("slaves=1,sentinels={SENTINELS}"))
            })?;
        }
        Ok(())
    }

    /// Its `redis-sentinel://` URL.
    pub fn url(&self) -> String {
        let addresses = self
            .sentinels
            .iter()
            .map(|it| format!("127.0.0.1:{}", it.port()));
        format!(
            "redis-sentinel://{}/{NAME}",
            addresses.collect::<Vec<_>>().join(",")
        )
    }

    /// The server that began as the primary, and the one that began as its replica.
    pub fn servers(&self) -> &[RedisServer; 2] {
        &self.servers
    }

    /// One of the [`servers`](Self::servers), to kill or restart it.
    pub fn server_mut(&mut self, index: usize) -> &mut RedisServer {
        &mut self.servers[index]
    }

    /// Has the Sentinels promote the replica, as soon as they find it fit for it.
    pub fn fail_over(&self) -> io::Result<()> {
        let command = format!("SENTINEL FAILOVER {NAME}");
        self.sentinels[0].wait_for(&command, |reply| reply == "+OK\r\n")?;
        Ok(())
    }

    /// Waits until the Sentinels say that the primary is this one of the [`servers`](Self::servers).
    pub fn wait_for_primary(&self, index: usize) -> io::Result<()> {
        let port = format!("{}\r\n", self.servers[index].port());
        let command = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {NAME}");
        for sentinel in &self.sentinels {
            sentinel.wait_for(&command, |reply| reply.ends_with(&port))?;
        }
        self.servers[index].wait_for("INFO replication", |info| info.contains("role:master"))?;
        Ok(())
    }
}

fn server(options: &str) -> Result<RedisServer, RedisServerError> {
    let words = ["--repl-diskless-sync-delay", "0"].into_iter();
    let options = words.chain(options.split_whitespace()).map(str::to_owned);
    RedisServer::start_with(RedisSettings {
        options: options.collect(),
        ..RedisSettings::default()
    })
}
