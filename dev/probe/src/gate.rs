//! Connections that are made at the same time begin at the same time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Opens when everybody who was expected has come, or gives up.
#[derive(Debug)]
pub(crate) struct Gate {
    awaited: Mutex<usize>,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn new(awaited: usize) -> Self {
        Self {
            awaited: Mutex::new(awaited),
            opened: Condvar::new(),
        }
    }

    /// One of those who are expected is here, or will not come.
    pub(crate) fn arrive(&self) {
        let mut awaited = self.awaited();
        *awaited = awaited.saturating_sub(1);
        if *awaited == 0 {
            self.opened.notify_all();
        }
    }

    /// Waits for the others, but not for ever.
    pub(crate) fn pass(&self, limit: Duration) {
        let closed = |awaited: &mut usize| *awaited > 0;
        // Whether all came in time: those who did begin together all the same.
        let _ = self
            .opened
            .wait_timeout_while(self.awaited(), limit, closed);
    }

    fn awaited(&self) -> MutexGuard<'_, usize> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those whom a gate expects: arrives when it says so, and at the latest when it is dropped.
#[derive(Debug)]
pub(crate) struct Expected {
    gate: Arc<Gate>,
    arrived: bool,
}

impl Expected {
    pub(crate) fn at(gate: &Arc<Gate>) -> Self {
        Self {
            gate: Arc::clone(gate),
            arrived: false,
        }
    }

    /// Is here; once more does nothing.
    pub(crate) fn arrive(&mut self) {
        if !self.arrived {
            self.arrived = true;
            self.gate.arrive();
        }
    }

    /// Waits for the others, but not for ever.
    pub(crate) fn pass(mut self, limit: Duration) {
        self.arrive();
        self.gate.pass(limit);
    }
}

impl Drop for Expected {
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
    fn nobody_passes_before_the_last_one_has_come() {
        let (gate, arrived) = (Gate::new(4), AtomicUsize::new(1));
        gate.arrive(); // one who will not come
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    gate.arrive();
                    gate.pass(Duration::from_secs(60));
                    assert_eq!(arrived.load(Ordering::SeqCst), 4);
                });
            }
        });
    }

    #[test]
    fn who_is_dropped_is_not_waited_for() {
        let gate = Arc::new(Gate::new(3));
        let [mut here, dropped] = [(); 2].map(|()| Expected::at(&gate));
        here.arrive();
        here.arrive();
        assert_eq!(*gate.awaited(), 2);
        drop(dropped);
        assert_eq!(*gate.awaited(), 1);
        here.pass(Duration::ZERO);
        Expected::at(&gate).pass(Duration::from_secs(60));
        assert_eq!(*gate.awaited(), 0);
    }

    #[test]
    fn who_does_not_come_is_not_waited_for_for_ever() {
        Gate::new(2).pass(Duration::from_millis(1));
    }
}
