//! The worker's backlog: state without a lock or a clock.

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;
use store_core::tier::Standing;
use store_core::{Generation, SecurityDomain, SessionKey, Usage};

use super::completion::Completion;
use super::revocations::Revoked;

/// For this time after a fetch that found nothing, a miss does not queue another fetch of that
/// server.
const MISS_RETRY: Duration = Duration::from_secs(1);
/// For this time after a fetch that found nothing, a connection does not queue another one either.
const CONNECTION_RETRY: Duration = Duration::from_millis(50);
/// Servers for which the time of a fetch that found nothing is kept.
const EMPTY_SERVERS: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
/// After this many fetches in a row, a write comes first.
const FETCHES_IN_A_ROW: usize = 16;
/// Servers in one write job.
const WRITE_BATCH: usize = 32;

/// Jobs by urgency: revocations, fetches, standings of servers, requests of the caller, writes.
pub(super) struct Backlog {
    /// Most servers in each of the queues below.
    capacity: usize,
    /// The latest generation that the store reported; `None` until the store exists.
    generation: Option<Generation>,
    // invariant: nothing else beside `Revoked::All`
    revocations: HashSet<Revoked>,
    /// Revocations that failed, and when they are due again.
    failed_revocations: Vec<(Instant, Revoked)>,
    fetches: VecDeque<SessionKey>,
    /// How many sessions of each server in `fetches` to fetch, and the completion for its waiters.
    to_fetch: HashMap<SessionKey, (usize, Arc<Completion>)>,
    /// The fetch that the worker is doing.
    in_flight: Option<FetchJob>,
    requests: VecDeque<Request>,
    /// The standings of servers that have changed.
    standings: HashMap<SessionKey, Standing>,
    writes: VecDeque<SessionKey>,
    /// What to write of each server in `writes`.
    to_write: HashMap<SessionKey, WriteScope>,
    /// When a server's remaining sessions have been unused for long enough to be written; each
    /// server once, the earliest first.
    idle: VecDeque<(Instant, SessionKey)>,
    idle_servers: HashSet<SessionKey>,
    /// Connections that began a fetch and have not looked for their session yet, by server.
    connections: HashMap<SessionKey, usize>,
    /// When a fetch of a server last found nothing.
    empty_since: LruCache<SessionKey, Instant>,
    /// Fetches since the last write.
    fetches_in_a_row: usize,
    stop: bool,
}

/// A job for the worker.
pub(super) enum Job {
    Revoke(Revoked),
    Fetch(FetchJob),
    Tell(SessionKey, Standing),
    Request(Request),
    Write(Vec<(SessionKey, WriteScope)>),
    Stop,
}

/// A fetch of one server's sessions.
#[derive(Clone)]
pub(super) struct FetchJob {
    pub(super) key: SessionKey,
    /// How many single-use sessions.
    pub(super) wanted: usize,
    pub(super) completion: Arc<Completion>,
}

/// A request of the caller.
pub(super) enum Request {
    /// Write all sessions in memory.
    Flush(Arc<Completion>),
    /// Load this many records of a domain.
    Load(SecurityDomain, usize, Arc<Completion>),
}

/// Which sessions of a server to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WriteScope {
    /// All single-use sessions but this many, which stay in memory; `None`: write none.
    pub(super) single_use_except: Option<usize>,
    /// The reusable session.
    pub(super) reusable: bool,
}

/// Which writes may be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writes {
    /// None: the tier stores nothing.
    None,
    /// All but those of idle sessions: the tier is slow, and memory has them in time.
    NotIdle,
    /// All.
    All,
}

/// The backlog is full.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Backlog {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            generation: None,
            revocations: HashSet::new(),
            failed_revocations: Vec::new(),
            fetches: VecDeque::new(),
            to_fetch: HashMap::new(),
            in_flight: None,
            requests: VecDeque::new(),
            standings: HashMap::new(),
            writes: VecDeque::new(),
            to_write: HashMap::new(),
            idle: VecDeque::new(),
            idle_servers: HashSet::new(),
            connections: HashMap::new(),
            empty_since: LruCache::sparse(EMPTY_SERVERS),
            fetches_in_a_row: 0,
            stop: false,
        }
    }

    /// Sets the generation of a new store.
    pub(super) fn set_generation(&mut self, generation: Generation) {
        self.generation = Some(generation);
    }

    /// Queues the write that follows a put, of all but `sessions_in_memory` single-use sessions.
    pub(super) fn stored(
        &mut self,
        key: SessionKey,
        usage: Usage,
        sessions_in_memory: usize,
    ) -> Result<(), Full> {
        let scope = match usage {
            Usage::SingleUse => WriteScope {
                single_use_except: Some(sessions_in_memory),
                reusable: false,
            },
            Usage::Reusable => WriteScope {
                single_use_except: None,
                reusable: true,
            },
        };
        self.write(key, scope)
    }

    /// Queues a write, or extends the one of this server that is queued.
    pub(super) fn write(&mut self, key: SessionKey, scope: WriteScope) -> Result<(), Full> {
        if let Some(queued) = self.to_write.get_mut(&key) {
            queued.reusable |= scope.reusable;
            queued.single_use_except = match (queued.single_use_except, scope.single_use_except) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            return Ok(());
        }
        if self.writes.len() >= self.capacity {
            return Err(Full);
        }
        self.writes.push_back(key.clone());
        self.to_write.insert(key, scope);
        Ok(())
    }

    /// Schedules a write of a server's sessions at `due`, if memory still holds them then.
    pub(super) fn write_idle_at(&mut self, due: Instant, key: SessionKey) {
        if self.idle.len() < self.capacity && self.idle_servers.insert(key.clone()) {
            self.idle.push_back((due, key));
        }
    }

    /// Queues a revocation.
    pub(super) fn revoke(&mut self, revoked: Revoked, generation: Generation) {
        self.generation = self.generation.max(Some(generation));
        match &revoked {
            Revoked::All => self.standings.clear(),
            Revoked::Domain(domain) => self
                .standings
                .retain(|key, _| key.as_key().domain() != domain),
            // A session may be revoked alone; a server that is cleared has a new standing.
            Revoked::Server(_) => {}
        }
        if self.revocations.contains(&Revoked::All) {
            return;
        }
        // A revocation must not be lost: if there are too many, all records are removed instead.
        let all = revoked == Revoked::All || self.revocations.len() >= self.capacity;
        if all {
            self.revocations.clear();
        }
        self.revocations
            .insert(if all { Revoked::All } else { revoked });
    }

    /// Queues a revocation that failed: at once, or at `due`.
    pub(super) fn revoke_again(
        &mut self,
        revoked: Revoked,
        generation: Generation,
        due: Option<Instant>,
    ) {
        match due {
            Some(due) if self.failed_revocations.len() < self.capacity => {
                self.failed_revocations.push((due, revoked));
            }
            _ => self.revoke(revoked, generation),
        }
    }

    /// Queues failed revocations that are due; before the end, all.
    fn revoke_due(&mut self, now: Instant) {
        let stop = self.stop;
        let is_due = |(due, _): &mut (Instant, Revoked)| stop || *due <= now;
        let due: Vec<_> = self.failed_revocations.extract_if(.., is_due).collect();
        if let Some(generation) = self.generation {
            for (_, revoked) in due {
                self.revoke(revoked, generation);
            }
        }
    }

    /// Counts one more connection to `key` that is about to look for a session, and returns how
    /// many there are.
    pub(super) fn add_connection(&mut self, key: &SessionKey) -> usize {
        let connections = self.connections.entry(key.clone()).or_default();
        *connections += 1;
        *connections
    }

    /// Counts one connection less: it has looked for its session, or was cancelled.
    pub(super) fn remove_connection(&mut self, key: &SessionKey) {
        if let Some(connections) = self.connections.get_mut(key) {
            *connections -= 1;
            if *connections == 0 {
                self.connections.remove(key);
            }
        }
    }

    /// Queues a fetch of one session after a miss, unless a fetch found none within [`MISS_RETRY`].
    pub(super) fn missed(&mut self, key: &SessionKey, now: Instant) -> Result<(), Full> {
        let recent = |since: &Instant| now.saturating_duration_since(*since) < MISS_RETRY;
        let is_empty = self.empty_since.get(key).is_some_and(recent);
        if is_empty {
            return Ok(());
        }
        self.fetch(key, 1).map(drop)
    }

    /// Whether a fetch of `key` found nothing within [`CONNECTION_RETRY`]. A connection then does
    /// not wait again.
    pub(super) fn was_just_empty(&self, key: &SessionKey, now: Instant) -> bool {
        let since = self.empty_since.peek(key);
        since.is_some_and(|since| now.saturating_duration_since(*since) < CONNECTION_RETRY)
    }

    /// Queues a fetch, or extends the queued one, so that `wanted` sessions of `key` are fetched in
    /// all, including the fetch in flight.
    pub(super) fn fetch(
        &mut self,
        key: &SessionKey,
        wanted: usize,
    ) -> Result<Arc<Completion>, Full> {
        let in_flight = self.in_flight.as_ref().filter(|job| job.key == *key);
        let in_flight_wanted = in_flight.map_or(0, |job| job.wanted);
        if let Some(job) = in_flight.filter(|job| job.wanted >= wanted) {
            return Ok(Arc::clone(&job.completion));
        }
        if let Some((queued, completion)) = self.to_fetch.get_mut(key) {
            *queued = (*queued).max(wanted - in_flight_wanted);
            return Ok(Arc::clone(completion));
        }
        if self.fetches.len() >= self.capacity {
            return Err(Full);
        }
        let completion = Arc::<Completion>::default();
        let queued = (wanted - in_flight_wanted, Arc::clone(&completion));
        self.fetches.push_back(key.clone());
        self.to_fetch.insert(key.clone(), queued);
        Ok(completion)
    }

    /// Ends the fetch in flight; `is_empty` if the tier had nothing.
    pub(super) fn fetched(&mut self, is_empty: bool, now: Instant) {
        if let Some(done) = self.in_flight.take()
            && is_empty
        {
            self.empty_since.put(done.key.clone(), now);
        }
    }

    /// Queues that the standing of a server has changed.
    pub(super) fn tell(&mut self, key: SessionKey, standing: Standing) -> Result<(), Full> {
        if self.standings.len() >= self.capacity && !self.standings.contains_key(&key) {
            return Err(Full);
        }
        self.standings.insert(key, standing);
        Ok(())
    }

    /// Queues a request of the caller; over capacity, the request is dropped, which completes it as
    /// failed.
    pub(super) fn request(&mut self, request: Request) {
        if self.requests.len() < self.capacity {
            self.requests.push_back(request);
        }
    }

    /// Stops the worker after the queued revocations, fetches and requests.
    pub(super) fn stop(&mut self) {
        self.stop = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop
    }

    /// The most urgent job at `now`, and the generation as of which sessions may be restored.
    pub(super) fn next(&mut self, now: Instant, writes: Writes) -> Option<(Job, Generation)> {
        let job = self.next_job(now, writes)?;
        Some((job, self.generation?))
    }

    fn next_job(&mut self, now: Instant, writes: Writes) -> Option<Job> {
        let may_write = writes != Writes::None;
        if !self.failed_revocations.is_empty() {
            self.revoke_due(now);
        }
        if let Some(revoked) = self.revocations.iter().next().cloned() {
            self.revocations.remove(&revoked);
            return Some(Job::Revoke(revoked));
        }
        let write_first = may_write && self.fetches_in_a_row >= FETCHES_IN_A_ROW;
        if write_first && let Some(job) = self.next_write(now, writes) {
            return Some(job);
        }
        while let Some(key) = self.fetches.pop_front() {
            if let Some((key, (wanted, completion))) = self.to_fetch.remove_entry(&key) {
                // Connections may have been cancelled since. Without any, a miss queued the fetch:
                // it wants one session.
                let wanted = wanted.min(self.connections_to(&key).max(1));
                self.fetches_in_a_row += 1;
                let job = FetchJob {
                    key,
                    wanted,
                    completion,
                };
                self.in_flight = Some(job.clone());
                return Some(Job::Fetch(job));
            }
        }
        if may_write
            && let Some(key) = self.standings.keys().next().cloned()
            && let Some(standing) = self.standings.remove(&key)
        {
            return Some(Job::Tell(key, standing));
        }
        if let Some(request) = self.requests.pop_front() {
            return Some(Job::Request(request));
        }
        if self.stop {
            return Some(Job::Stop);
        }
        may_write.then(|| self.next_write(now, writes)).flatten()
    }

    fn next_write(&mut self, now: Instant, writes: Writes) -> Option<Job> {
        self.fetches_in_a_row = 0;
        while self.next_due(writes).is_some_and(|due| due <= now) {
            let Some((_, key)) = self.idle.pop_front() else {
                break;
            };
            self.idle_servers.remove(&key);
            let scope = WriteScope {
                single_use_except: Some(0),
                reusable: false,
            };
            // If the backlog is full, the sessions stay in memory.
            let _ = self.write(key, scope);
        }
        let batch = self.writes.len().min(WRITE_BATCH);
        let batch: Vec<_> = self
            .writes
            .drain(..batch)
            .filter_map(|key| self.to_write.remove_entry(&key))
            .collect();
        (!batch.is_empty()).then_some(Job::Write(batch))
    }

    /// Connections that are about to look for a session of `key`.
    pub(super) fn connections_to(&self, key: &SessionKey) -> usize {
        self.connections.get(key).copied().unwrap_or(0)
    }

    /// When the next idle server is due, if it may be written.
    pub(super) fn next_due(&self, writes: Writes) -> Option<Instant> {
        let next = self.idle.front().filter(|_| writes == Writes::All);
        next.map(|(due, _)| *due)
    }

    /// Completes all fetches and requests as failed. Revocations and writes stay queued.
    pub(super) fn cancel_fetches_and_requests(&mut self) {
        self.fetches.clear();
        for (_, (_, completion)) in self.to_fetch.drain() {
            completion.complete(false);
        }
        if let Some(job) = self.in_flight.take() {
            job.completion.complete(false);
        }
        self.requests.clear();
    }
}

impl Drop for Request {
    /// Completes the request as failed, unless the worker has completed it.
    fn drop(&mut self) {
        let (Self::Flush(completion) | Self::Load(_, _, completion)) = self;
        completion.complete(false);
    }
}
