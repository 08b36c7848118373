//! The parts of a run: each measures or checks one thing and gives rows for the report.

pub mod equivalence;
pub mod handshakes;

use clap::ValueEnum;

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// What a handshake costs, full and resumed
    Handshakes,
    /// Whether both backends follow the rules
    Equivalence,
}

impl Section {
    /// All sections, in the order in which they run.
    pub const ALL: [Self; 2] = [Self::Handshakes, Self::Equivalence];

    /// The name of its array in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshakes => "handshakes",
            Self::Equivalence => "equivalence",
        }
    }
}
