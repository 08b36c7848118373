//! Deadlines on tokio's clock.

use std::io;
use std::time::Duration;

use store_core::net::LONGEST_TIMEOUT;
use tokio::time::{Instant, timeout_at};

/// The deadline `timeout` from now; [`LONGEST_TIMEOUT`] from now if the clock overflows.
pub(crate) fn after(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout)
        .unwrap_or_else(|| now + LONGEST_TIMEOUT)
}

/// Awaits `work`. Fails with [`io::ErrorKind::TimedOut`] at `deadline`, if there is one.
pub(crate) async fn in_time<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = T>,
) -> io::Result<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline, work)
            .await
            .map_err(|_| io::ErrorKind::TimedOut.into()),
        None => Ok(work.await),
    }
}
