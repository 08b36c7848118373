//! A one-shot notification that a job is done, for threads and for tasks.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The completion of one job, set once by the worker.
#[derive(Debug, Default)]
pub(super) struct Completion {
    state: Mutex<State>,
    completed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the job succeeded, once it is completed.
    succeeded: Option<bool>,
    wakers: Vec<Waker>,
}

impl Completion {
    /// Wakes all waiters with the result. Later calls have no effect.
    pub(super) fn complete(&self, succeeded: bool) {
        let wakers = {
            let mut state = self.state();
            state.succeeded.get_or_insert(succeeded);
            std::mem::take(&mut state.wakers)
        };
        self.completed.notify_all();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Whether the job is completed.
    #[cfg(feature = "__simulation")]
    pub(super) fn is_completed(&self) -> bool {
        self.state().succeeded.is_some()
    }

    /// Blocks this thread until the job is completed and returns whether it succeeded; `None` after
    /// `timeout`.
    pub(super) fn wait(&self, timeout: Duration) -> Option<bool> {
        let end = Instant::now().checked_add(timeout);
        let mut state = self.state();
        loop {
            if state.succeeded.is_some() {
                return state.succeeded;
            }
            let left = match end {
                Some(end) => end.saturating_duration_since(Instant::now()),
                None => timeout,
            };
            if left.is_zero() {
                return None;
            }
            let waited = self.completed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// [`wait`](Self::wait) without blocking the thread, until `timeout` completes. Returns whether the
    /// job succeeded in time.
    pub(super) async fn wait_async(&self, timeout: impl Future<Output = ()>) -> bool {
        let mut timeout = pin!(timeout);
        poll_fn(|cx| match self.poll(cx) {
            Poll::Ready(succeeded) => Poll::Ready(succeeded),
            Poll::Pending => timeout.as_mut().poll(cx).map(|()| false),
        })
        .await
    }

    /// Whether the job succeeded, once it is completed.
    fn poll(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut state = self.state();
        if let Some(succeeded) = state.succeeded {
            return Poll::Ready(succeeded);
        }
        let mut wakers = state.wakers.iter();
        if !wakers.any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn all_waiters_get_the_first_result() {
        let completion = Arc::new(Completion::default());
        assert_eq!(completion.wait(Duration::ZERO), None);
        std::thread::scope(|scope| {
            let waits = [0, 1].map(|_| scope.spawn(|| completion.wait(Duration::from_secs(60))));
            completion.complete(true);
            completion.complete(false);
            for wait in waits {
                assert_eq!(wait.join().unwrap(), Some(true));
            }
        });
    }
}
