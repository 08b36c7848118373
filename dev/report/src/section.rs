//! The parts of a report.

use clap::ValueEnum;

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// What a handshake costs, full and resumed, with each store
    Handshakes,
    /// What one operation on a store costs
    Store,
    /// What threads get done that share a store
    Contention,
    /// How often a session is there when it is needed, at equal bytes
    HitRate,
    /// How many connections are resumed that begin together
    Burst,
    /// What a session takes in memory
    Memory,
    /// A store of a million servers
    Scale,
    /// What places beyond the process take, with several processes at work
    Tiers,
    /// Whether every backend follows the rules
    Equivalence,
}

impl Section {
    /// All sections, in the order in which they run.
    pub const ALL: [Self; 9] = [
        Self::Handshakes,
        Self::Store,
        Self::Contention,
        Self::Scale,
        Self::Tiers,
        Self::HitRate,
        Self::Burst,
        Self::Memory,
        Self::Equivalence,
    ];

    /// The name of its array in the report.
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
            Self::Equivalence => "equivalence",
        }
    }
}
