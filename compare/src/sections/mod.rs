//! The parts of a run: each measures or checks one thing and gives rows for the report.

pub mod equivalence;
pub mod handshakes;
pub mod tiers;

use clap::ValueEnum;

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// What a handshake costs, full and resumed
    Handshakes,
    /// What places beyond the process take, with several processes at work
    Tiers,
    /// Whether every backend follows the rules
    Equivalence,
}

impl Section {
    /// All sections, in the order in which they run.
    pub const ALL: [Self; 3] = [Self::Handshakes, Self::Tiers, Self::Equivalence];

    /// The name of its array in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshakes => "handshakes",
            Self::Tiers => "tiers",
            Self::Equivalence => "equivalence",
        }
    }
}
