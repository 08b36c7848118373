//! What waits to be done beyond memory: state without a lock or a clock.

use std::collections::{HashMap, HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;
use store_core::{Generation, SecurityDomain, SessionKey, Usage};

use super::arrival::Arrival;

/// How long a server of which the tier had nothing is not asked for again by a mere miss.
const NOTHING_THERE: Duration = Duration::from_secs(1);
/// How long not even by a connection that would wait for it.
const JUST_ASKED: Duration = Duration::from_millis(50);
/// Servers that are remembered so.
const NOTHING_THERE_ROOM: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
/// So many fetches go before a write that waits.
const FETCHES_IN_A_ROW: usize = 16;
/// Servers whose sessions are written in one go.
const BATCH: usize = 32;

/// Jobs in the order of their urgency: what is revoked, what a connection waits for, what a caller
/// asked for, what is to be written.
pub(super) struct Waiting {
    /// Most servers in each of the queues below.
    room: usize,
    /// The generation that was told last; nothing before the store exists.
    told: Option<Generation>,
    revoked: Revoked,
    fetches: VecDeque<SessionKey>,
    /// For how many connections each server in `fetches` is wanted, and what they wait for.
    to_fetch: HashMap<SessionKey, (usize, Arc<Arrival>)>,
    /// What the worker fetches now.
    in_flight: Option<Fetching>,
    requests: VecDeque<Request>,
    writes: VecDeque<SessionKey>,
    /// What is to be written of the servers in `writes`.
    to_write: HashMap<SessionKey, ToWrite>,
    /// When what is still in memory of a server has not been used for long enough to be shared;
    /// each server once, the earliest first.
    idle: VecDeque<(Instant, SessionKey)>,
    idle_servers: HashSet<SessionKey>,
    /// Connections that have yet to look for their session, by server.
    expecting: HashMap<SessionKey, usize>,
    nothing_there: LruCache<SessionKey, Instant>,
    /// Fetches since something was written.
    fetched_in_a_row: usize,
    stop: bool,
}

enum Revoked {
    These(HashSet<SessionKey>),
    All,
}

/// One thing to do.
pub(super) enum Job {
    Clear,
    Revoke(SessionKey),
    Fetch(Fetching),
    Request(Request),
    Write(Vec<(SessionKey, ToWrite)>),
    Stop,
}

/// A server whose sessions are wanted.
#[derive(Clone)]
pub(super) struct Fetching {
    pub(super) key: SessionKey,
    /// For how many connections.
    pub(super) wanted: usize,
    pub(super) arrival: Arc<Arrival>,
}

/// What a caller asked for.
pub(super) enum Request {
    /// To write all that memory holds.
    Flush(Arc<Arrival>),
    /// To load so many records of this domain.
    Load(SecurityDomain, usize, Arc<Arrival>),
}

/// What of a server is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ToWrite {
    /// Single-use sessions, all but so many.
    pub(super) all_but: Option<usize>,
    /// The reusable session.
    pub(super) reusable: bool,
}

/// Too much waits already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Waiting {
    pub(super) fn new(room: usize) -> Self {
        Self {
            room: room.max(1),
            told: None,
            revoked: Revoked::These(HashSet::new()),
            fetches: VecDeque::new(),
            to_fetch: HashMap::new(),
            in_flight: None,
            requests: VecDeque::new(),
            writes: VecDeque::new(),
            to_write: HashMap::new(),
            idle: VecDeque::new(),
            idle_servers: HashSet::new(),
            expecting: HashMap::new(),
            nothing_there: LruCache::new(NOTHING_THERE_ROOM),
            fetched_in_a_row: 0,
            stop: false,
        }
    }

    /// This is the generation of a store that begins.
    pub(super) fn begin(&mut self, now_is: Generation) {
        self.told = Some(now_is);
    }

    /// A connection put a session: `keep` single-use ones may stay in memory.
    pub(super) fn stored(
        &mut self,
        key: SessionKey,
        usage: Usage,
        keep: usize,
    ) -> Result<(), Full> {
        let new = match usage {
            Usage::SingleUse => ToWrite {
                all_but: Some(keep),
                reusable: false,
            },
            Usage::Reusable => ToWrite {
                all_but: None,
                reusable: true,
            },
        };
        self.write(key, new)
    }

    /// Something of a server is to be written.
    pub(super) fn write(&mut self, key: SessionKey, new: ToWrite) -> Result<(), Full> {
        if let Some(waiting) = self.to_write.get_mut(&key) {
            waiting.reusable |= new.reusable;
            waiting.all_but = match (waiting.all_but, new.all_but) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            return Ok(());
        }
        if self.writes.len() >= self.room {
            return Err(Full);
        }
        self.writes.push_back(key.clone());
        self.to_write.insert(key, new);
        Ok(())
    }

    /// What memory holds of a server then, and still holds at `due`, is to be shared.
    pub(super) fn share_at(&mut self, due: Instant, key: SessionKey) {
        if self.idle.len() < self.room && self.idle_servers.insert(key.clone()) {
            self.idle.push_back((due, key));
        }
    }

    /// What there was of this server is revoked.
    pub(super) fn revoke(&mut self, key: SessionKey, now_is: Generation) {
        self.told = self.told.max(Some(now_is));
        if let Revoked::These(servers) = &mut self.revoked {
            servers.insert(key);
            if servers.len() > self.room {
                // No revocation is forgotten: rather all sessions are.
                self.revoked = Revoked::All;
            }
        }
    }

    /// All there was is revoked.
    pub(super) fn clear(&mut self, now_is: Generation) {
        self.told = self.told.max(Some(now_is));
        self.revoked = Revoked::All;
    }

    /// One more connection to `key` is about to look for a session; the number of them.
    pub(super) fn expect(&mut self, key: &SessionKey) -> usize {
        let expecting = self.expecting.entry(key.clone()).or_default();
        *expecting += 1;
        *expecting
    }

    /// A connection has looked, or will not.
    pub(super) fn expect_no_more(&mut self, key: &SessionKey) {
        if let Some(expecting) = self.expecting.get_mut(key) {
            *expecting -= 1;
            if *expecting == 0 {
                self.expecting.remove(key);
            }
        }
    }

    /// A connection found nothing: one session is wanted, unless that is known to be in vain.
    pub(super) fn missed(&mut self, key: &SessionKey, now: Instant) -> Result<(), Full> {
        let asked = |asked: &Instant| now.saturating_duration_since(*asked) < NOTHING_THERE;
        let in_vain = self.nothing_there.get(key).is_some_and(asked);
        if in_vain {
            return Ok(());
        }
        self.fetch(key, 1).map(drop)
    }

    /// Whether the tier had nothing of `key` a moment ago: a connection that has waited for that
    /// need not do so again.
    pub(super) fn is_known_in_vain(&self, key: &SessionKey, now: Instant) -> bool {
        let asked = self.nothing_there.peek(key);
        asked.is_some_and(|asked| now.saturating_duration_since(*asked) < JUST_ASKED)
    }

    /// So many sessions of `key` are wanted in all.
    pub(super) fn fetch(&mut self, key: &SessionKey, needed: usize) -> Result<Arc<Arrival>, Full> {
        let in_flight = self.in_flight.as_ref().filter(|now| now.key == *key);
        let on_their_way = in_flight.map_or(0, |now| now.wanted);
        if let Some(now) = in_flight.filter(|now| now.wanted >= needed) {
            return Ok(Arc::clone(&now.arrival));
        }
        if let Some((wanted, arrival)) = self.to_fetch.get_mut(key) {
            *wanted = (*wanted).max(needed - on_their_way);
            return Ok(Arc::clone(arrival));
        }
        if self.fetches.len() >= self.room {
            return Err(Full);
        }
        let arrival = Arc::<Arrival>::default();
        let waiting = (needed - on_their_way, Arc::clone(&arrival));
        self.fetches.push_back(key.clone());
        self.to_fetch.insert(key.clone(), waiting);
        Ok(arrival)
    }

    /// The worker has fetched what it could; `in_vain` if there was nothing.
    pub(super) fn fetched(&mut self, in_vain: bool, now: Instant) {
        if let Some(done) = self.in_flight.take()
            && in_vain
        {
            self.nothing_there.put(done.key.clone(), now);
        }
    }

    /// A caller asks for something; of too many, the last are told at once that it is not done.
    pub(super) fn request(&mut self, request: Request) {
        if self.requests.len() < self.room {
            self.requests.push_back(request);
        }
    }

    /// The last job is to stop.
    pub(super) fn stop(&mut self) {
        self.stop = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop
    }

    /// What is most urgent at `now`, and the generation as of which sessions may be restored.
    pub(super) fn next(&mut self, now: Instant, may_write: bool) -> Option<(Job, Generation)> {
        let job = self.next_job(now, may_write)?;
        Some((job, self.told?))
    }

    fn next_job(&mut self, now: Instant, may_write: bool) -> Option<Job> {
        match &mut self.revoked {
            Revoked::All => {
                self.revoked = Revoked::These(HashSet::new());
                return Some(Job::Clear);
            }
            Revoked::These(servers) => {
                if let Some(key) = servers.iter().next().cloned() {
                    servers.remove(&key);
                    return Some(Job::Revoke(key));
                }
            }
        }
        let write_first = may_write && self.fetched_in_a_row >= FETCHES_IN_A_ROW;
        if write_first && let Some(job) = self.next_write(now) {
            return Some(job);
        }
        while let Some(key) = self.fetches.pop_front() {
            if let Some((key, (wanted, arrival))) = self.to_fetch.remove_entry(&key) {
                // Those who have given up need none; who merely missed wants one.
                let wanted = wanted.min(self.expecting(&key).max(1));
                self.fetched_in_a_row += 1;
                let fetching = Fetching {
                    key,
                    wanted,
                    arrival,
                };
                self.in_flight = Some(fetching.clone());
                return Some(Job::Fetch(fetching));
            }
        }
        if let Some(request) = self.requests.pop_front() {
            return Some(Job::Request(request));
        }
        if self.stop {
            return Some(Job::Stop);
        }
        may_write.then(|| self.next_write(now)).flatten()
    }

    fn next_write(&mut self, now: Instant) -> Option<Job> {
        self.fetched_in_a_row = 0;
        while self.next_due().is_some_and(|due| due <= now) {
            let Some((_, key)) = self.idle.pop_front() else {
                break;
            };
            self.idle_servers.remove(&key);
            let all = ToWrite {
                all_but: Some(0),
                reusable: false,
            };
            // When too much waits, it stays in memory.
            let _ = self.write(key, all);
        }
        let batch = self.writes.len().min(BATCH);
        let mut batch: Vec<_> = self
            .writes
            .drain(..batch)
            .filter_map(|key| self.to_write.remove_entry(&key))
            .collect();
        for (key, what) in &mut batch {
            // What connections that are on their way will look for stays.
            let expecting = self.expecting(key);
            what.all_but = what.all_but.map(|kept| kept.max(expecting));
        }
        (!batch.is_empty()).then_some(Job::Write(batch))
    }

    fn expecting(&self, key: &SessionKey) -> usize {
        self.expecting.get(key).copied().unwrap_or(0)
    }

    /// When there may be something to do without anyone saying so.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.idle.front().map(|(due, _)| *due)
    }

    /// The tier is left alone: all that others wait for is over.
    pub(super) fn give_up(&mut self) {
        self.fetches.clear();
        for (_, (_, arrival)) in self.to_fetch.drain() {
            arrival.tell(false);
        }
        if let Some(fetching) = self.in_flight.take() {
            fetching.arrival.tell(false);
        }
        self.requests.clear();
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let (Self::Flush(arrival) | Self::Load(_, _, arrival)) = self;
        arrival.tell(false);
    }
}
