//! The store: shards behind locks, for many connections at once.

mod application_data;
mod connection;
mod fork_guard;
mod packing;
mod shards;
mod tier;

use std::fmt;
use std::sync::Arc;

use self::fork_guard::ForkGuard;
use self::shards::{LockedShard, Shards};
use crate::dropped::Dropped;
use crate::events::Events;
use crate::hashing::KeyHasher;
use crate::server_stats::Watched;
use crate::shard::{HashedKey, Part};
use crate::sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, lock};
use crate::tier::Standing;
use crate::{EntryId, Generation, KeyRef, Limits, LimitsError, SecurityDomain, ServerStats};
use crate::{SessionKey, Stats, Storable, StoreObserver, Timestamp, Usage};

/// A shard that grows moves its servers, so shards are small.
const SERVERS_A_SHARD: usize = 512;
/// With this many shards, two threads seldom contend for one. Smaller shards than those of 512 servers
/// cost a large store more: each has half a kilobyte that the processor's cache must hold.
const ENOUGH_SHARDS: usize = 32;
/// The servers of a shard in a store of fewer shards.
const LEAST_SERVERS_A_SHARD: usize = 128;
/// Bounds the size of an empty store.
const MAX_SHARDS: usize = 4_096;
/// `server_bytes` fit into a shard at least this often, so a server fills a quarter of it at most.
const FULL_SERVERS_A_SHARD: usize = 4;

/// A bounded, expiring store of client sessions, for use by many connections at once.
///
/// # Contract
/// - **A failure is a miss.** No operation fails, panics, or waits for anything but a short lock. A
///   session that is not found is a miss, and a miss costs a full handshake. `None` is always an
///   allowed result: dropping a session is never wrong.
/// - **Once.** A single-use session goes to one connection and never returns to the store, whatever
///   the outcome of the handshake. After a fork, the child's store is empty: sessions stay in the
///   process that stored them.
/// - **Private.** A connection owns the session it is offered; a reusable session is copied for it.
/// - **Valid.** An offered session has not expired by the server's lifetime, the protocol's bounds
///   and the [`Limits`], and was not stored at a time that is now the future.
/// - **Bounded.** Servers, sessions per server, and bytes stay within the [`Limits`] whatever a
///   server sends; one server cannot evict the sessions of all others.
/// - **Fair.** Where security domains share a store, room is made in those that have more than an
///   equal share of their shard: of servers if there are too many, of bytes if those are short. The
///   others keep their servers. Only where the excess is a single server's, which a server's own
///   limit bounds, others are evicted.
/// - **Secret.** Sessions are dropped, and wiped by their own `Drop`, while no lock is held. No
///   `Debug` or event shows one.
///
/// Operations that depend on the time take it as an argument; see [`Clock`](crate::Clock).
pub struct SessionStore<S> {
    // Read by every operation; only the generation changes.
    limits: Limits,
    hasher: KeyHasher,
    shards: Shards<S>,
    generation: AtomicU64,
    fork_guard: ForkGuard,
    watched: Watched,
    events: Events,
    observer: Option<Arc<dyn StoreObserver>>,
    // Whether it remembers how handshakes ended.
    has_history: bool,
    // Locked from drawing a generation, or reading a standing, until the observer has received it: they
    // arrive in order.
    notifying: Mutex<()>,
    counters: Counters,
}

/// Counters outside the shards. A connection whose server's shard exists writes none of them.
struct Counters {
    // The number of the shard that `sweep` takes next.
    next_swept: AtomicUsize,
    // Misses in shards that do not exist yet.
    missed: AtomicU64,
    // Handshakes made again.
    retried: AtomicU64,
}

impl<S: Storable> SessionStore<S> {
    /// Creates an empty store, which allocates next to nothing until it is used.
    pub fn new(limits: Limits) -> Result<Self, LimitsError> {
        Self::build(limits, None)
    }

    /// Creates an empty store that reports to `observer`.
    pub fn with_observer(
        limits: Limits,
        observer: Arc<dyn StoreObserver>,
    ) -> Result<Self, LimitsError> {
        Self::build(limits, Some(observer))
    }

    /// Sets whether the store remembers how handshakes ended, and so offers nothing to a server after one
    /// that failed. Default `true`. Without, it offers a session as long as it has one: for connections
    /// that are of no use if they are not resumed.
    #[must_use]
    pub fn with_history(self, has_history: bool) -> Self {
        Self {
            has_history,
            ..self
        }
    }

    fn build(
        limits: Limits,
        observer: Option<Arc<dyn StoreObserver>>,
    ) -> Result<Self, LimitsError> {
        limits.validate()?;
        let shards = Shards::new(shards_for(&limits), observer.is_none());
        Ok(Self {
            limits,
            hasher: KeyHasher::new(),
            shards,
            generation: AtomicU64::new(1),
            fork_guard: ForkGuard::new(),
            watched: Watched::new(),
            events: Events::new(),
            observer,
            has_history: true,
            notifying: Mutex::new(()),
            counters: Counters {
                next_swept: AtomicUsize::new(0),
                missed: AtomicU64::new(0),
                retried: AtomicU64::new(0),
            },
        })
    }

    /// The limits of this store.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The current generation, for a connection that begins now and will [`put`](Self::put) later.
    pub fn generation(&self) -> Generation {
        self.clear_after_fork();
        Generation(self.generation.load(Ordering::Acquire))
    }

    /// Removes the session `id` of `key`; `false` if it is not there. A newer one that was stored
    /// meanwhile stays. If the session or a copy of it may be in a tier, all sessions of the server
    /// are removed.
    pub fn remove<'k>(&self, key: impl Into<KeyRef<'k>>, id: EntryId) -> bool {
        let hashed = self.hashed(key);
        let mut dropped = Dropped::new();
        let shard = self.shards.get(hashed.hash);
        let removed = shard.and_then(|shard| shard.lock().remove(&hashed, id, &mut dropped));
        let was_there = removed.is_some();
        if self.observer.is_some() && removed != Some(Usage::SingleUse) {
            self.revoke(hashed.key, false);
        }
        was_there
    }

    /// Removes the session `id` of `key` from the memory of this process only: after a transport
    /// failed in a handshake with it, which is no reason to clear the sessions of other processes.
    pub fn remove_from_memory<'k>(&self, key: impl Into<KeyRef<'k>>, id: EntryId) {
        let hashed = self.hashed(key);
        if let Some(shard) = self.shards.get(hashed.hash) {
            let mut dropped = Dropped::new();
            shard.lock().remove(&hashed, id, &mut dropped);
        }
    }

    /// Removes the session `id` of `key` and all older ones, after the server rejected a handshake
    /// with it: the older ones may fail for the same reason, and a client must not fail again and
    /// again. Newer ones stay. With an observer, all sessions of the server are removed, since a
    /// session that a tier restores is older than its id.
    pub fn remove_up_to<'k>(&self, key: impl Into<KeyRef<'k>>, id: EntryId) {
        let key = key.into();
        if self.observer.is_some() {
            return self.revoke(key, false);
        }
        let hashed = self.hashed(key);
        if let Some(shard) = self.shards.get(hashed.hash) {
            let mut dropped = Dropped::new();
            shard.lock().remove_up_to(&hashed, id, &mut dropped);
        }
    }

    /// Removes the reusable sessions of `key`, for a backend that does not know the id of the
    /// session that failed; `false` if there is none. With an observer, all sessions of the server
    /// are removed.
    pub fn remove_reusable<'k>(&self, key: impl Into<KeyRef<'k>>) -> bool {
        let hashed = self.hashed(key);
        let mut dropped = Dropped::new();
        let shard = self.shards.get(hashed.hash);
        let removed =
            shard.is_some_and(|shard| shard.lock().remove_reusable(&hashed, &mut dropped));
        if self.observer.is_some() {
            self.revoke(hashed.key, false);
        }
        removed
    }

    /// Removes all sessions of one server, its hint, and what is remembered of its handshakes. Later
    /// puts of connections to it that have already begun are refused.
    pub fn clear_server<'k>(&self, key: impl Into<KeyRef<'k>>) {
        self.revoke(key.into(), true);
    }

    /// Removes all sessions of one server, here and in the tier.
    fn revoke(&self, key: KeyRef<'_>, forgets: bool) {
        let hashed = self.hashed(key);
        if let Some(shard) = self.shards.get_or_create(hashed.hash, &self.limits) {
            let mut dropped = Dropped::new();
            let notifying = self.lock_notifying();
            let mut locked = shard.lock();
            // Drawn under the shard's lock, so that generations arrive there in ascending order.
            let generation = self.next_generation();
            locked.clear_server(&hashed, generation, forgets, &mut dropped);
            drop(locked);
            if let Some(observer) = &self.observer {
                observer.revoked(hashed.key, generation);
                if forgets {
                    observer.standing(hashed.key, Standing::Good);
                }
            }
            drop(notifying);
        }
    }

    /// Whether sessions of `key` were cleared after `begun`: a put by a connection that began then would
    /// be refused. For a session that is kept elsewhere, and that a clear is to revoke, too.
    pub fn is_cleared_since<'k>(&self, key: impl Into<KeyRef<'k>>, begun: Generation) -> bool {
        let hashed = self.hashed(key);
        let shard = self.shards.get_or_create(hashed.hash, &self.limits);
        shard.is_some_and(|shard| shard.lock().is_cleared_since(&hashed, begun))
    }

    /// Removes all sessions of one security domain, the hints of its servers, and what is remembered
    /// of their handshakes. Later puts of connections in it that have already begun are refused.
    /// Visits all servers of each shard that has one of this domain.
    pub fn clear_domain(&self, domain: &SecurityDomain) {
        let mut dropped = Dropped::new();
        let notifying = self.lock_notifying();
        let mut cleared = self.shards.lock_cleared();
        cleared.insert(Part::Domain(*domain), self.next_generation());
        for shard in self.shards.iter() {
            let mut locked = shard.lock();
            locked.clear_domain(domain, self.next_generation(), &mut dropped);
        }
        drop(cleared);
        if let Some(observer) = &self.observer {
            let generation = Generation(self.generation.load(Ordering::Acquire));
            observer.domain_cleared(domain, generation);
        }
        drop(notifying);
    }

    /// Removes all sessions and hints. Later puts of connections that have already begun are
    /// refused.
    pub fn clear(&self) {
        let notifying = self.lock_notifying();
        self.clear_memory();
        if let Some(observer) = &self.observer {
            observer.cleared(Generation(self.generation.load(Ordering::Acquire)));
        }
        drop(notifying);
    }

    fn clear_memory(&self) {
        let mut dropped = Dropped::new();
        let mut cleared = self.shards.lock_cleared();
        cleared.clear(self.next_generation());
        for shard in self.shards.iter() {
            let mut locked = shard.lock();
            locked.clear(self.next_generation(), &mut dropped);
        }
        drop(cleared);
    }

    fn lock_notifying(&self) -> Option<MutexGuard<'_, ()>> {
        self.observer.is_some().then(|| lock(&self.notifying))
    }

    /// Frees the expired sessions of one shard per call, which has some 100 to 1,000 servers (more
    /// only where `server_bytes` is a large part of `total_bytes`). Call it now and then where no
    /// connection stores a session.
    pub fn sweep(&self, now: Timestamp) {
        let next = self.counters.next_swept.fetch_add(1, Ordering::Relaxed);
        if let Some(shard) = self.shards.by_number(next) {
            let mut dropped = Dropped::new();
            shard.lock().sweep(now, &mut dropped);
        }
    }

    /// A step in the shard of a put, and now and then one in another shard.
    #[cold]
    fn sweep_steps(&self, shard: &LockedShard<S>, now: Timestamp) {
        let mut dropped = Dropped::new();
        let mut locked = shard.lock();
        locked.sweep_step(now, &mut dropped);
        let elsewhere = locked.is_sweep_due_elsewhere();
        drop(locked);
        if elsewhere {
            let next = self.counters.next_swept.fetch_add(1, Ordering::Relaxed);
            if let Some(other) = self.shards.by_number(next) {
                other.lock().sweep_step(now, &mut dropped);
            }
        }
    }

    /// Counts a handshake with `key` that is made again without a session, after it failed with one.
    pub fn count_retry<'k>(&self, key: impl Into<KeyRef<'k>>) {
        self.counters.retried.fetch_add(1, Ordering::Relaxed);
        let key = key.into();
        self.watched.count(&key, |stats| stats.retried += 1);
        self.events.retried(&key);
    }

    /// Starts counters of one server from zero, for [`server_stats`](Self::server_stats): to find
    /// out why it does not resume. Every operation searches the watched servers, so watch only a
    /// few.
    pub fn watch<'k>(&self, key: impl Into<KeyRef<'k>>) {
        self.watched.add(key.into());
    }

    /// Stops the counters of one server.
    pub fn unwatch<'k>(&self, key: impl Into<KeyRef<'k>>) {
        self.watched.remove(key.into());
    }

    /// The counters of a watched server, and its current number of sessions; `None` if it is not
    /// watched.
    pub fn server_stats<'k>(&self, key: impl Into<KeyRef<'k>>) -> Option<ServerStats> {
        let hashed = self.hashed(key);
        let stats = self.watched.get(hashed.key)?;
        let shard = self.shards.get(hashed.hash);
        let held = shard.map_or(0, |shard| shard.lock().session_count(&hashed));
        Some(ServerStats {
            held: held as u64,
            ..stats
        })
    }

    /// The watched servers, each as [`server_stats`](Self::server_stats) has it.
    pub fn watched(&self) -> Vec<(SessionKey, ServerStats)> {
        let keys = self.watched.keys().into_iter();
        keys.filter_map(|key| {
            let stats = self.server_stats(&key)?;
            Some((key, stats))
        })
        .collect()
    }

    /// Selects whether servers appear with name and port in the events of this store for `tracing`.
    ///
    /// By default, a server appears as 16 hexadecimal digits of a SHA-256 over its key and a random
    /// secret of the store. They are the same for as long as the store exists, and cannot be
    /// computed from a list of names. A name is escaped to one printable line, and cut after 253
    /// characters.
    #[cfg(feature = "tracing")]
    pub fn log_server_names(&self, named: bool) {
        self.events.log_server_names(named);
    }

    /// The counters and the current contents. Visits all servers.
    pub fn stats(&self) -> Stats {
        let mut sum = Stats {
            missed: self.counters.missed.load(Ordering::Relaxed),
            retried: self.counters.retried.load(Ordering::Relaxed),
            ..Stats::default()
        };
        for shard in self.shards.iter() {
            sum.add(&shard.lock().stats());
        }
        sum
    }

    #[inline]
    fn hashed<'k>(&self, key: impl Into<KeyRef<'k>>) -> HashedKey<'k> {
        // In place: a key is large, and a copy of it is more code than its hash.
        let (hash, key) = (0, key.into());
        let mut hashed = HashedKey { hash, key };
        hashed.hash = self.hasher.hash(&hashed.key);
        hashed
    }

    /// Empties the store in a process that was forked since the store was last used: the sessions
    /// are the parent's.
    fn clear_after_fork(&self) {
        if !self.fork_guard.is_owner() {
            // Before the process becomes the owner, so that a thread in between clears it too. The
            // observer belongs to the parent, and is not notified.
            self.clear_memory();
            self.fork_guard.take_over();
        }
    }

    fn next_generation(&self) -> Generation {
        Generation(self.generation.fetch_add(1, Ordering::AcqRel) + 1)
    }
}

impl<S> fmt::Debug for SessionStore<S> {
    /// Shows the limits, and nothing of the contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStore")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The number of shards for `limits`: so many that a shard is swept in one short step, so few that
/// a full server leaves most of its shard to others.
fn shards_for(limits: &Limits) -> usize {
    if limits.servers == 0 {
        return 0;
    }
    let few = (limits.servers / LEAST_SERVERS_A_SHARD).min(ENOUGH_SHARDS);
    let by_servers = (limits.servers / SERVERS_A_SHARD).max(few).max(1);
    let most_for_one = limits
        .server_bytes
        .max(1)
        .saturating_mul(FULL_SERVERS_A_SHARD);
    let by_bytes = (limits.total_bytes / most_for_one).max(1);
    let shards = by_servers.min(by_bytes).min(MAX_SHARDS);
    // The largest power of two that is not above `shards`.
    1 << shards.ilog2()
}

// The contract: a store is shared between threads.
const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<SessionStore<Vec<u8>>>();
};

#[cfg(test)]
mod interleaving_tests;
