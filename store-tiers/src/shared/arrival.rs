//! Something that a worker does and others wait for, on a thread or in a task.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The end of something, which comes once.
#[derive(Debug, Default)]
pub(super) struct Arrival {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What came of it, once it is known.
    outcome: Option<bool>,
    wakers: Vec<Waker>,
}

impl Arrival {
    /// Tells all who wait, with what came of it. Only the first time counts.
    pub(super) fn tell(&self, outcome: bool) {
        let wakers = {
            let mut state = self.state();
            state.outcome.get_or_insert(outcome);
            std::mem::take(&mut state.wakers)
        };
        self.arrived.notify_all();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Waits on this thread: what came of it, or nothing if it takes longer than `deadline`.
    pub(super) fn wait(&self, deadline: Duration) -> Option<bool> {
        let end = Instant::now().checked_add(deadline);
        let mut state = self.state();
        loop {
            if state.outcome.is_some() {
                return state.outcome;
            }
            let left = match end {
                Some(end) => end.saturating_duration_since(Instant::now()),
                None => deadline,
            };
            if left.is_zero() {
                return None;
            }
            let waited = self.arrived.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same in a task.
#[cfg_attr(not(feature = "tokio"), allow(dead_code, reason = "for tasks"))]
pub(super) struct Arriving(pub(super) Arc<Arrival>);

impl Future for Arriving {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.0.state();
        if let Some(outcome) = state.outcome {
            return Poll::Ready(outcome);
        }
        if !state
            .wakers
            .iter()
            .any(|waker| waker.will_wake(context.waker()))
        {
            state.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_outcome_counts_for_all_who_wait() {
        let arrival = Arc::new(Arrival::default());
        assert_eq!(arrival.wait(Duration::ZERO), None);
        std::thread::scope(|scope| {
            let waits = [0, 1].map(|_| scope.spawn(|| arrival.wait(Duration::from_secs(60))));
            arrival.tell(true);
            arrival.tell(false);
            for wait in waits {
                assert_eq!(wait.join().unwrap(), Some(true));
            }
        });
    }
}
