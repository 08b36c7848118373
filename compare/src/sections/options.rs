//! What a run tells its sections.

use crate::harness::CustomStore;

/// The options that sections share.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Many rounds instead of few.
    pub(crate) full: bool,
    /// The seed of everything that is drawn at random.
    pub(crate) seed: u64,
    /// Rounds of each handshake case and of each store operation; `None`: as the plans say.
    pub(crate) rounds: Option<usize>,
    /// Stores to measure beside those of this project.
    pub(crate) custom_stores: Vec<CustomStore>,
    /// Whether a full run measures the memory of 100,000 servers.
    pub(crate) large_memory: bool,
}
