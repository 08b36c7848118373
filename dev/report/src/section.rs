//! The sections of a report.

use clap::ValueEnum;

/// A section of a report: one kind of measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Time and bytes of full and resumed handshakes, with each store
    Handshakes,
    /// Time of one operation on a store
    Store,
    /// Throughput of threads that share a store
    Contention,
    /// Share of resumed connections, for stores of equal size in bytes
    HitRate,
    /// Share of resumed connections when many begin at the same time
    Burst,
    /// Memory of a session
    Memory,
    /// Latency of a store with a million servers
    Scale,
    /// Latency of LMDB and Redis, used by several processes
    Tiers,
    /// Processes that share sessions by Redis, up to 64 of them
    Fleet,
    /// Whether every backend follows the rules
    Equivalence,
}

impl Section {
    /// All sections, in the order in which they run.
    pub const ALL: [Self; 10] = [
        Self::Handshakes,
        Self::Store,
        Self::Contention,
        Self::Scale,
        Self::Tiers,
        Self::Fleet,
        Self::HitRate,
        Self::Burst,
        Self::Memory,
        Self::Equivalence,
    ];

    /// The name of the section's array in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshakes => "handshakes",
            Self::Store => "store_ops",
            Self::Contention => "contention",
            Self::HitRate => "hit_rate",
            Self::Burst => "burst",
            Self::Memory => "memory",
            Self::Scale => "scale",
            Self::Tiers => "tiers",
            Self::Fleet => "fleet",
            Self::Equivalence => "equivalence",
        }
    }
}
