//! The clock that s2n-tls sees.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use s2n_tls::callbacks::WallClock;
use store_core::{Clock, SystemClock, Timestamp};

/// The largest step back that the store takes for a correction of the clock.
const MAX_CORRECTION: Duration = Duration::from_secs(1);

/// The store's clock, except that it stands still while the store's clock is set back by up to a
/// second.
///
/// s2n-tls writes the time into sessions, and fails a handshake whose session is later than its
/// clock.
pub(crate) struct SteadyClock {
    clock: Arc<dyn Clock>,
    latest: Mutex<Timestamp>,
}

impl SteadyClock {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let latest = Mutex::new(Timestamp::EPOCH);
        Self { clock, latest }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now = now(&*self.clock).unwrap_or_else(|| SystemClock.now());
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest
            .since(now)
            .is_none_or(|step_back| step_back > MAX_CORRECTION)
        {
            *latest = now;
        }
        *latest
    }
}

/// The wall clock callback of s2n-tls.
pub(crate) struct WallClockCallback(pub(crate) Arc<SteadyClock>);

impl WallClock for WallClockCallback {
    fn get_time_since_epoch(&self) -> Duration {
        self.0.now().since_epoch()
    }
}

/// The time. `None` if the clock panics: whatever needed it is a miss.
pub(crate) fn now(clock: &dyn Clock) -> Option<Timestamp> {
    catch_unwind(AssertUnwindSafe(|| clock.now())).ok()
}
