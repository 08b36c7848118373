//! Deadlines of connections that tasks drive: futures that complete in time, of whichever runtime.

use std::future::{pending, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use store_core::net::LONGEST_TIMEOUT;
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep_until};

/// The deadline `timeout` from now; [`LONGEST_TIMEOUT`] from now if the clock overflows.
pub(crate) fn after(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout)
        .unwrap_or_else(|| now + LONGEST_TIMEOUT)
}

/// Completes at `deadline` on tokio's clock; never if there is none.
pub(crate) async fn at(deadline: Option<Instant>) {
    match deadline {
        // Unconstrained: busy work must not keep the timer from being looked at.
        Some(deadline) => unconstrained(sleep_until(deadline)).await,
        None => pending().await,
    }
}

/// Awaits `work`. Fails with [`io::ErrorKind::TimedOut`] when `deadline` completes first.
pub(crate) async fn in_time<T>(
    deadline: impl Future<Output = ()>,
    work: impl Future<Output = T>,
) -> io::Result<T> {
    let (mut deadline, mut work) = (pin!(deadline), pin!(work));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending => {
            let ended = deadline.as_mut().poll(cx);
            ended.map(|()| Err(io::ErrorKind::TimedOut.into()))
        }
    })
    .await
}
