//! Shared stores in simulated time: the caller moves the clock and runs the worker, so that thousands
//! of stores need no thread and no waiting.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store_core::{Clock, Limits, Portable, Timestamp};

use super::time::Time;
use super::worker::{self, Worker};
use super::{Fetch, SharedError, SharedSettings, SharedStore};
use crate::{KeyRing, Tier};

/// The wall clock at the beginning of a simulation.
const START: Timestamp = Timestamp::EPOCH;
/// So that no session is as old as the epoch.
const AGE_OF_START: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A clock that moves when it is set, for all stores of a simulation.
#[derive(Debug)]
pub struct SimulatedClock {
    start: Instant,
    /// Since the start.
    micros: AtomicU64,
}

impl SimulatedClock {
    /// A clock at the beginning of a simulation.
    #[allow(clippy::new_without_default, reason = "reads the machine's clock")]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            micros: AtomicU64::new(0),
        }
    }

    /// Sets the time since the start, in whole microseconds.
    pub fn set(&self, since_start: Duration) {
        let micros = u64::try_from(since_start.as_micros()).unwrap_or(u64::MAX);
        self.micros.store(micros, Ordering::Relaxed);
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }

    pub(super) fn instant(&self) -> Instant {
        self.start + self.elapsed()
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        START.after(AGE_OF_START).after(self.elapsed())
    }
}

/// A [`SharedStore`] whose worker is run by the caller, instead of by a thread.
pub struct SimulatedStore<S: Portable> {
    // Dropped first: the store then does not wait for it.
    worker: Worker<S>,
    store: SharedStore<S>,
    clock: Arc<SimulatedClock>,
}

/// A task of a worker. It begins when [`SimulatedStore::next_task`] returns it, and what it does happens in
/// [`SimulatedStore::perform`].
pub struct Task {
    task: worker::Task,
    began: Instant,
}

/// What a worker does next.
pub enum Next {
    /// A task, now.
    Task(Task),
    /// Nothing until this time since the start, unless the store is used before.
    Nothing(Duration),
    /// It has ended, after [`SimulatedStore::close`].
    Ended,
}

impl<S: Portable> SimulatedStore<S> {
    /// Creates a store with empty memory.
    pub fn new(
        limits: Limits,
        tier: Box<dyn Tier>,
        ring: KeyRing,
        settings: SharedSettings,
        clock: &Arc<SimulatedClock>,
    ) -> Result<Self, SharedError> {
        let clock = Arc::clone(clock);
        let time = Time::Simulated(Arc::clone(&clock));
        let wall = Arc::<SimulatedClock>::clone(&clock);
        let (store, worker) = SharedStore::with_worker(limits, tier, ring, settings, wall, time)?;
        Ok(Self {
            worker,
            store,
            clock,
        })
    }

    /// The store, as connections use it. Its methods that wait must not be called.
    pub fn store(&self) -> &SharedStore<S> {
        &self.store
    }

    /// The worker's next task, which begins now. From now on until it is performed, a call to the
    /// tier is in progress.
    pub fn next_task(&mut self) -> Next {
        match self.worker.next(Some(self.clock.instant())) {
            Ok(worker::Task::Stop) => Next::Ended,
            Ok(task) => {
                self.store.queue.mark_call();
                let began = self.clock.instant();
                Next::Task(Task { task, began })
            }
            Err(due) => Next::Nothing(due.saturating_duration_since(self.clock.start)),
        }
    }

    /// Does a task: its calls to the tier take no time.
    pub fn perform(&mut self, task: Task) {
        self.worker.perform(task.task, task.began);
        self.store.queue.mark_end_of_call(); // if there was none
    }

    /// Ends the store: the worker writes the sessions in memory to the tier, as when a
    /// [`SharedStore`] is dropped.
    pub fn close(&self) {
        drop(self.store.queue.flush(true));
    }
}

impl Fetch {
    /// Whether a connection would wait for it now.
    pub fn is_worth_waiting_for(&self) -> bool {
        self.worth_waiting_for().is_some()
    }

    /// Whether there is nothing left to wait for.
    pub fn is_completed(&self) -> bool {
        let completion = self.completion.as_ref();
        completion.is_none_or(|completion| completion.is_completed())
    }
}

impl<S: Portable> fmt::Debug for SimulatedStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedStore")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Task {
    /// Whether it sweeps the tier.
    pub fn is_sweep(&self) -> bool {
        matches!(self.task, worker::Task::Sweep)
    }
}

impl fmt::Debug for Task {
    /// Says which kind of task it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.task {
            worker::Task::Probe => "Probe",
            worker::Task::Job(..) => "Job",
            worker::Task::Sweep => "Sweep",
            worker::Task::Stop => "Stop",
        })
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(task) => f.debug_tuple("Task").field(task).finish(),
            Self::Nothing(until) => f.debug_tuple("Nothing").field(until).finish(),
            Self::Ended => f.write_str("Ended"),
        }
    }
}
