//! The environment of a run, from which it can be repeated.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Machine, software versions and settings of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The processor's name as reported by the system.
    pub machine: String,
    /// Number of processors available to the program.
    pub cores: usize,
    /// Operating system and architecture.
    pub system: String,
    /// The compiler that built the program.
    pub rustc: String,
    /// The build profile. Only the numbers of `release` are meaningful.
    pub profile: String,
    /// The version of the linked OpenSSL.
    pub openssl: String,
    /// Versions of the measured crates.
    pub versions: BTreeMap<String, String>,
    /// The memory allocator, which both libraries use.
    pub allocator: String,
    /// Settings that are the same for every handshake.
    pub pinned: BTreeMap<String, String>,
    /// Start of the run.
    pub date: String,
    /// Start of the run in seconds since 1970.
    pub unix_time: u64,
    /// Seed of the order in which variants are measured.
    pub seed: u64,
    /// The command line.
    pub command: String,
}
