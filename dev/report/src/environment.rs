//! What was measured, where, and how: the part of a report that lets somebody repeat it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was measured, where, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The processor, as the system names it.
    pub machine: String,
    /// Processors that the program may use.
    pub cores: usize,
    /// The operating system and the architecture.
    pub system: String,
    /// The compiler that built the program.
    pub rustc: String,
    /// The profile it was built with; only `release` gives numbers worth reading.
    pub profile: String,
    /// The OpenSSL that is linked.
    pub openssl: String,
    /// Versions of the crates that matter.
    pub versions: BTreeMap<String, String>,
    /// Who allocates memory. It is one allocator for both libraries.
    pub allocator: String,
    /// What is the same for every handshake.
    pub pinned: BTreeMap<String, String>,
    /// When the run began.
    pub date: String,
    /// The same in seconds since 1970.
    pub unix_time: u64,
    /// The seed of the order in which variants are measured.
    pub seed: u64,
    /// The command line.
    pub command: String,
}
