//! The run id: which run of which node a connection uses.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// The id of one run of a node, which begins at its start or promotion, and in a cluster whenever the
/// node gets slots: 16 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunId(String);

impl RunId {
    /// Parses the replies to `INFO server replication` and, of a node of a cluster, to `CLUSTER
    /// INFO`. The error says what is wrong with them.
    pub(super) fn parse(info: &str, cluster_info: Option<&str>) -> Result<Self, &'static str> {
        let run_id = field(info, "run_id").ok_or("its INFO has no run_id")?;
        // A writable replica does not replicate what is taken from it.
        if field(info, "role") != Some("master") {
            return Err("it is a replica: give the address of the primary");
        }
        // `run_id` stays the same when a primary becomes a replica and a primary again; this does
        // not.
        let replication_id = field(info, "master_replid").ok_or("its INFO has no master_replid")?;
        let mut digest = Sha256::new()
            .chain_update(run_id)
            .chain_update(":")
            .chain_update(replication_id);
        if let Some(info) = cluster_info {
            // The epoch of the node's claim to its slots. A slot that leaves a node and comes back
            // brings keys along; no node has the same epoch when it gets a slot back.
            let epoch = field(info, "cluster_my_epoch");
            let epoch = epoch.ok_or("its CLUSTER INFO has no cluster_my_epoch")?;
            digest = digest.chain_update(":").chain_update(epoch);
        } else if ["redis_mode", "server_mode"]
            .iter()
            .any(|it| field(info, it) == Some("cluster"))
        {
            return Err("it is a node of a cluster: give redis-cluster://");
        }
        let mut digits = String::with_capacity(16);
        for byte in &digest.finalize()[..8] {
            let _ = write!(digits, "{byte:02x}"); // writing to a string does not fail
        }
        Ok(Self(digits))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(
        run_id: &str,
        role: &str,
        replid: &str,
        epoch: Option<u64>,
    ) -> Result<RunId, &'static str> {
        let cluster_info = epoch.map(|epoch| format!("a:b\r\ncluster_my_epoch:{epoch}\r\n"));
        RunId::parse(
            &format!(
                "# Server\r\nredis_version:7.0.15\r\nrun_id:{run_id}\r\n\r\n\
                 # Replication\r\nrole:{role}\r\nmaster_replid:{replid}\r\nmaster_replid2:0\r\n"
            ),
            cluster_info.as_deref(),
        )
    }

    #[test]
    fn a_start_a_promotion_and_an_epoch_change_the_run_id() {
        let run_id = info("a", "master", "b", None).unwrap();
        assert_eq!(run_id.as_str().len(), 16);
        assert_eq!(info("a", "master", "b", None), Ok(run_id.clone()));
        assert_ne!(info("c", "master", "b", None), Ok(run_id.clone()));
        assert_ne!(info("a", "master", "c", None), Ok(run_id));
        assert_ne!(
            info("a", "master", "b", Some(1)),
            info("a", "master", "b", Some(2))
        );
    }

    #[test]
    fn incomplete_info_is_an_error() {
        assert!(info("a", "slave", "b", None).is_err());
        assert!(info("", "master", "b", None).is_err());
        assert!(info("a", "master", "", None).is_err());
        assert!(RunId::parse("", None).is_err());
        assert!(RunId::parse("run_id:a\nrole:master\nmaster_replid:b", Some("")).is_err());
    }
}
