//! Blocking calls of an asynchronous client.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Longer than any handshake takes.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Polls a future on this thread until it is ready. `None` after a timeout.
pub(crate) fn finish<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let start = Instant::now();
    while start.elapsed() < TIMEOUT {
        if let Poll::Ready(done) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            return Some(done);
        }
        std::thread::yield_now();
    }
    None
}
