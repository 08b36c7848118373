//! The parts of a run: each measures or checks one thing and gives rows for the report.

pub mod burst;
pub mod contention;
pub mod equivalence;
pub mod handshake_threads;
pub mod handshakes;
pub mod hit_rate;
pub mod memory;
pub mod scale;
pub mod store_ops;
pub mod tiers;

use clap::ValueEnum;

use crate::cli::RunOptions;
use crate::report::Report;

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

/// What a section found, for people to read.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// A title and a table.
    pub text: String,
    /// What is not as it should be, a line each.
    pub mistakes: Vec<String>,
}

impl Section {
    /// All sections, in the order in which they run.
    pub const ALL: [Self; 9] = [
        Self::Handshakes,
        Self::Store,
        Self::Contention,
        Self::HitRate,
        Self::Burst,
        Self::Memory,
        Self::Scale,
        Self::Tiers,
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

    /// Measures or checks, and puts the rows into the report.
    pub fn run(self, options: &RunOptions, report: &mut Report) -> Shown {
        match self {
            Self::Handshakes => handshakes::run(options, report),
            Self::Store => store_ops::run(options, report),
            Self::Contention => contention::run(options, report),
            Self::HitRate => hit_rate::run(options, report),
            Self::Burst => burst::run(options, report),
            Self::Memory => memory::run(options, report),
            Self::Scale => scale::run(options, report),
            Self::Tiers => tiers::run(options, report),
            Self::Equivalence => equivalence::run(options, report),
        }
    }
}
