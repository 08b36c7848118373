//! A barrier with a timeout, for handshakes that begin at the same time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Opens once every participant has arrived. Unlike [`std::sync::Barrier`], waiting has a timeout
/// and a participant may drop out.
#[derive(Debug)]
pub(crate) struct Barrier {
    missing: Mutex<usize>,
    opened: Condvar,
}

impl Barrier {
    pub(crate) fn new(participants: usize) -> Self {
        Self {
            missing: Mutex::new(participants),
            opened: Condvar::new(),
        }
    }

    /// Counts one participant as arrived, or as dropped out.
    pub(crate) fn arrive(&self) {
        let mut missing = self.missing();
        *missing = missing.saturating_sub(1);
        if *missing == 0 {
            self.opened.notify_all();
        }
    }

    /// Waits until all have arrived, at most for `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) {
        let is_closed = |missing: &mut usize| *missing > 0;
        // After a timeout, those who did arrive go on together.
        let _ = self
            .opened
            .wait_timeout_while(self.missing(), timeout, is_closed);
    }

    fn missing(&self) -> MutexGuard<'_, usize> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A participant of a barrier. Arrives at most once, and at the latest when dropped.
#[derive(Debug)]
pub(crate) struct Participant {
    barrier: Arc<Barrier>,
    arrived: bool,
}

impl Participant {
    /// One of the participants that `barrier` was made for.
    pub(crate) fn new(barrier: &Arc<Barrier>) -> Self {
        Self {
            barrier: Arc::clone(barrier),
            arrived: false,
        }
    }

    pub(crate) fn arrive(&mut self) {
        if !self.arrived {
            self.arrived = true;
            self.barrier.arrive();
        }
    }

    /// Arrives, and waits until all have arrived, at most for `timeout`.
    pub(crate) fn wait(mut self, timeout: Duration) {
        self.arrive();
        self.barrier.wait(timeout);
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        self.arrive();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_barrier_opens_with_its_last_participant() {
        let (barrier, arrived) = (Barrier::new(4), AtomicUsize::new(1));
        barrier.arrive(); // one that drops out
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    barrier.arrive();
                    barrier.wait(Duration::from_secs(60));
                    assert_eq!(arrived.load(Ordering::SeqCst), 4);
                });
            }
        });
    }

    #[test]
    fn a_dropped_participant_is_not_waited_for() {
        let barrier = Arc::new(Barrier::new(3));
        let [mut present, dropped] = [(); 2].map(|()| Participant::new(&barrier));
        present.arrive();
        present.arrive();
        assert_eq!(*barrier.missing(), 2);
        drop(dropped);
        assert_eq!(*barrier.missing(), 1);
        present.wait(Duration::ZERO);
        Participant::new(&barrier).wait(Duration::from_secs(60));
        assert_eq!(*barrier.missing(), 0);
    }

    #[test]
    fn waiting_times_out() {
        Barrier::new(2).wait(Duration::from_millis(1));
    }
}
