//! Which run of which Redis a connection talks to.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// One history of a Redis: from its start, or from its promotion, to the next. Sixteen hexadecimal
/// digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run(String);

impl Run {
    /// Reads the answer to `INFO server replication`. The error says what is wrong with it.
    pub(super) fn parse(info: &str) -> Result<Self, &'static str> {
        let field = |name: &str| {
            info.lines()
                .filter_map(|line| line.trim_end().split_once(':'))
                .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
        };
        let process = field("run_id").ok_or("its INFO has no run_id")?;
        // A replica that can be written to tells nobody what was taken from it.
        if field("role") != Some("master") {
            return Err("it is a replica: give the address of the primary");
        }
        // `run_id` outlives being made a replica and a primary again; this does not.
        let history = field("master_replid").ok_or("its INFO has no master_replid")?;
        let digest = Sha256::new()
            .chain_update(process)
            .chain_update(":")
            .chain_update(history)
            .finalize();
        let mut run = String::with_capacity(16);
        for byte in &digest[..8] {
            let _ = write!(run, "{byte:02x}"); // a string takes all
        }
        Ok(Self(run))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(run_id: &str, role: &str, replid: &str) -> Result<Run, &'static str> {
        Run::parse(&format!(
            "# Server\r\nredis_version:7.0.15\r\nrun_id:{run_id}\r\n\r\n\
             # Replication\r\nrole:{role}\r\nmaster_replid:{replid}\r\nmaster_replid2:0\r\n"
        ))
    }

    #[test]
    fn a_start_and_a_promotion_make_another_run() {
        let run = info("a", "master", "b").unwrap();
        assert_eq!(run.as_str().len(), 16);
        assert_eq!(info("a", "master", "b"), Ok(run.clone()));
        assert_ne!(info("c", "master", "b"), Ok(run.clone()));
        assert_ne!(info("a", "master", "c"), Ok(run));
    }

    #[test]
    fn without_a_run_there_is_an_error() {
        assert!(info("a", "slave", "b").is_err());
        assert!(info("", "master", "b").is_err());
        assert!(info("a", "master", "").is_err());
        assert!(Run::parse("").is_err());
    }
}
