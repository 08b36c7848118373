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
use crate::table::Style;

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

    /// Measures or checks, and puts the rows into the report. Says what is not as it should be, a
    /// line each.
    pub fn run(self, options: &RunOptions, report: &mut Report) -> Vec<String> {
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

    /// What the report has of it, for people to read.
    pub fn text(self, report: &Report, style: Style) -> String {
        match self {
            Self::Handshakes => handshakes::text(report, style),
            Self::Store => store_ops::text(report, style),
            Self::Contention => contention::text(report, style),
            Self::HitRate => hit_rate::text(report, style),
            Self::Burst => burst::text(report, style),
            Self::Memory => memory::text(report, style),
            Self::Scale => scale::text(report, style),
            Self::Tiers => tiers::text(report, style),
            Self::Equivalence => equivalence::text(report, style),
        }
    }
}
