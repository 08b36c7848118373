//! What a simulation counts.

use std::time::Duration;

/// The counters of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Handshakes that ended.
    pub connections: u64,
    /// Those that were resumed.
    pub resumed: u64,
    /// Those that offered a session.
    pub offered: u64,
    /// Calls of the tier, also those that failed.
    pub calls: u64,
}

/// The result of a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Counters of each second since the start.
    pub seconds: Vec<Second>,
    /// The seconds before the measurement.
    pub warm_up: usize,
    /// How long connections waited for a session during the measurement, in microseconds, by how
    /// many: index 0 is no wait, the others are steps of 100.
    pub(super) waits: Vec<u64>,
    /// Tickets that were offered twice, though they are for single use.
    pub used_twice: u64,
    /// Writes and fetches that were not queued, for want of room.
    pub dropped: u64,
    /// Sessions that the stores lost.
    pub lost: u64,
}

/// A step of [`Measured::waits`], in microseconds.
const STEP: usize = 100;

impl Measured {
    pub(super) fn new(seconds: usize, warm_up: usize) -> Self {
        Self {
            seconds: vec![Second::default(); seconds],
            warm_up,
            waits: Vec::new(),
            used_twice: 0,
            dropped: 0,
            lost: 0,
        }
    }

    pub(super) fn waited(&mut self, wait: Duration) {
        let step = usize::try_from(wait.as_micros())
            .unwrap_or(usize::MAX)
            .div_ceil(STEP);
        if self.waits.len() <= step {
            self.waits.resize(step + 1, 0);
        }
        self.waits[step] += 1;
    }

    /// The sum of the counters of these seconds since the start.
    pub fn between(&self, from: usize, to: usize) -> Second {
        let end = to.min(self.seconds.len());
        let seconds = &self.seconds[from.min(end)..end];
        seconds
            .iter()
            .fold(Second::default(), |sum, second| Second {
                connections: sum.connections + second.connections,
                resumed: sum.resumed + second.resumed,
                offered: sum.offered + second.offered,
                calls: sum.calls + second.calls,
            })
    }

    /// The sum over the measurement.
    pub fn all(&self) -> Second {
        self.between(self.warm_up, self.seconds.len())
    }

    /// The time in milliseconds that this share of connections waited at most for a session from the
    /// tier.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are far below 2^52"
    )]
    pub fn wait_ms(&self, quantile: f64) -> f64 {
        let all: u64 = self.waits.iter().sum();
        let wanted = (all as f64 * quantile).ceil() as u64;
        let mut seen = 0;
        let step = self.waits.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        (step.unwrap_or(0) * STEP) as f64 / 1_000.0
    }
}

impl Second {
    /// The share of connections that were resumed.
    pub fn rate(&self) -> f64 {
        ratio(self.resumed, self.connections)
    }

    /// Calls of the tier for each connection.
    pub fn calls_each(&self) -> f64 {
        ratio(self.calls, self.connections)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}
