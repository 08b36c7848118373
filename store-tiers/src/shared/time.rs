//! The time by which a shared store waits.

#[cfg(feature = "__simulation")]
use std::sync::Arc;
use std::time::Instant;

#[cfg(feature = "__simulation")]
use super::simulation::SimulatedClock;

/// The monotonic time by which the queue and the worker wait: the machine's, or a simulation's.
pub(super) enum Time {
    Machine,
    #[cfg(feature = "__simulation")]
    Simulated(Arc<SimulatedClock>),
}

impl Time {
    pub(super) fn now(&self) -> Instant {
        match self {
            Self::Machine => Instant::now(),
            #[cfg(feature = "__simulation")]
            Self::Simulated(clock) => clock.instant(),
        }
    }
}
