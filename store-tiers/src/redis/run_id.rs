//! The run id: which run of which Redis a connection uses.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// The id of one run of a Redis, which begins at its start or promotion: 16 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunId(String);

impl RunId {
    /// Parses the reply to `INFO server replication`. The error says what is wrong with it.
    pub(super) fn parse(info: &str) -> Result<Self, &'static str> {
        let field = |name: &str| {
            info.lines()
                .filter_map(|line| line.trim_end().split_once(':'))
                .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
        };
        let run_id = field("run_id").ok_or("its INFO has no run_id")?;
        // A writable replica does not replicate what is taken from it.
        if field("role") != Some("master") {
            return Err("it is a replica: give the address of the primary");
        }
        // `run_id` stays the same when a primary becomes a replica and a primary again; this does
        // not.
        let replication_id = field("master_replid").ok_or("its INFO has no master_replid")?;
        let digest = Sha256::new()
            .chain_update(run_id)
            .chain_update(":")
            .chain_update(replication_id)
            .finalize();
        let mut digits = String::with_capacity(16);
        for byte in &digest[..8] {
            let _ = write!(digits, "{byte:02x}"); // writing to a string does not fail
        }
        Ok(Self(digits))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(run_id: &str, role: &str, replid: &str) -> Result<RunId, &'static str> {
        RunId::parse(&format!(
            "# Server\r\nredis_version:7.0.15\r\nrun_id:{run_id}\r\n\r\n\
             # Replication\r\nrole:{role}\r\nmaster_replid:{replid}\r\nmaster_replid2:0\r\n"
        ))
    }

    #[test]
    fn a_start_and_a_promotion_change_the_run_id() {
        let run_id = info("a", "master", "b").unwrap();
        assert_eq!(run_id.as_str().len(), 16);
        assert_eq!(info("a", "master", "b"), Ok(run_id.clone()));
        assert_ne!(info("c", "master", "b"), Ok(run_id.clone()));
        assert_ne!(info("a", "master", "c"), Ok(run_id));
    }

    #[test]
    fn incomplete_info_is_an_error() {
        assert!(info("a", "slave", "b").is_err());
        assert!(info("", "master", "b").is_err());
        assert!(info("a", "master", "").is_err());
        assert!(RunId::parse("").is_err());
    }
}
