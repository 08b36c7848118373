//! The store: shards behind locks.

mod offering;
mod packing;
mod part;
mod process;
mod transfer;

pub use self::transfer::Available;

use std::fmt;
use std::sync::Arc;

use self::offering::Sweep;
use self::part::{Part, Parts};
use self::process::Process;
use crate::events::Events;
use crate::hashing::KeyHasher;
use crate::shard::{At, Want};
use crate::sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, PoisonError};
use crate::watch::Watched;
use crate::{
    Entry, EntryId, Generation, KeyRef, Limits, LimitsError, Offer, Storable, StoreObserver,
};
use crate::{Outcome, Refused, ServerStats, Stats, Timestamp, Usage};

/// A shard is swept, grown and searched as a whole, so it is kept small; and the more there are, the
/// more seldom two threads meet in one.
const SERVERS_A_SHARD: usize = 128;
/// An empty store stays small, whatever it may hold.
const MOST_SHARDS: usize = 4_096;
/// No server may fill more than this part of its shard.
const SERVERS_BYTES_A_SHARD: usize = 4;

/// A bounded, expiring store of client sessions, for use by many connections at once.
///
/// # Contract
/// - **Never in the way.** No operation fails, waits for anything but a short lock, or panics; what
///   is not there is a miss, and a miss costs a full handshake. `None` is always allowed: dropping
///   a session is never wrong.
/// - **Once.** A single-use session is handed to one connection and never comes back, whatever
///   becomes of the handshake. After a fork, the child starts with nothing: sessions stay with
///   the process that put them.
/// - **Private.** What a connection is offered is its own; a reusable session is copied for it.
/// - **Valid.** What is offered has not expired by the server's word, the protocol's bounds and
///   the [`Limits`], and does not come from the future.
/// - **Bounded.** Servers, sessions a server, and bytes stay within the [`Limits`] whatever a
///   server does; one server cannot push out the others.
/// - **Secret.** Sessions are dropped, and wiped by their own drop, without a lock held, and never
///   shown.
///
/// Time is an argument of every operation that depends on it; see [`Clock`](crate::Clock).
pub struct SessionStore<S> {
    // What every operation reads; of it, only the generation ever changes.
    limits: Limits,
    hasher: KeyHasher,
    parts: Parts<S>,
    generation: AtomicU64,
    process: Process,
    watched: Watched,
    events: Events,
    behind: Option<Arc<dyn StoreObserver>>,
    // Held while a generation is drawn and told to what lies behind, so that they arrive in order.
    telling: Mutex<()>,
    counters: Counters,
}

/// What changes without a shard's lock. Seldom: a connection writes none of it once its server's
/// part is there.
struct Counters {
    next_swept: AtomicUsize,
    // Offers missed in parts that are not there.
    missed: AtomicU64,
}

impl<S: Storable> SessionStore<S> {
    /// An empty store. Allocates next to nothing until it is used.
    pub fn new(limits: Limits) -> Result<Self, LimitsError> {
        Self::build(limits, None)
    }

    /// The same with a place behind it that is told what happens.
    pub fn with_observer(
        limits: Limits,
        behind: Arc<dyn StoreObserver>,
    ) -> Result<Self, LimitsError> {
        Self::build(limits, Some(behind))
    }

    fn build(limits: Limits, behind: Option<Arc<dyn StoreObserver>>) -> Result<Self, LimitsError> {
        limits.validate()?;
        let parts = Parts::new(shards_for(&limits), behind.is_none());
        Ok(Self {
            limits,
            hasher: KeyHasher::new(),
            parts,
            generation: AtomicU64::new(1),
            process: Process::this(),
            watched: Watched::new(),
            events: Events::new(),
            behind,
            telling: Mutex::new(()),
            counters: Counters {
                next_swept: AtomicUsize::new(0),
                missed: AtomicU64::new(0),
            },
        })
    }

    /// What this store may hold.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The present moment in the life of the store, for a connection that begins now and will
    /// [`put`](Self::put) later.
    pub fn generation(&self) -> Generation {
        self.leave_to_parent();
        Generation(self.generation.load(Ordering::Acquire))
    }

    /// What a connection to `key` begins with: the generation for what it will
    /// [`put`](Self::put), and an offer as from [`offer_where`](Self::offer_where). Sweeps as it
    /// goes, so that [`sweep`](Self::sweep) need not be called.
    pub fn begin<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        now: Timestamp,
        accept: impl FnMut(&S) -> bool,
    ) -> (Generation, Option<Offer<S>>) {
        let (begun, key) = (self.generation(), key.into());
        let offer = self.find_session(key, Want::Any, now, Sweep::Along, accept);
        (begun, offer)
    }

    /// Stores a session that a connection to `key` was given, one begun at `begun`.
    ///
    /// The entry's expiry is cut to the limits. A reusable session replaces the one before it; a
    /// single-use session joins the others, and the oldest go when there are too many.
    pub fn put<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        entry: Entry<S>,
        begun: Generation,
        now: Timestamp,
    ) -> Result<EntryId, Refused> {
        let at = self.at(key);
        let Some(part) = self.parts.get_or_make(at.hash, &self.limits) else {
            return Err(Refused::Off);
        };
        let (mut dropped, usage) = (Vec::new(), entry.usage);
        let mut shard = part.lock();
        let put = shard.put(at, entry, begun, now, &mut dropped);
        let to_pack = shard.next_to_pack();
        drop(shard);
        if let Some(to_pack) = to_pack {
            self.pack(part, to_pack, now);
        }
        self.watched.note(at.key, |stats| match put {
            Ok(_) => stats.stored += 1,
            Err(_) => stats.refused += 1,
        });
        if let (Ok(_), Some(behind)) = (put, &self.behind) {
            behind.stored(at.key, usage);
        }
        put
    }

    /// What a connection to `key` should offer: the newest valid single-use session, which is
    /// removed; else a private copy of the valid reusable one; else nothing.
    pub fn offer<'k>(&self, key: impl Into<KeyRef<'k>>, now: Timestamp) -> Option<Offer<S>> {
        self.offer_where(key, now, |_| true)
    }

    /// The same among the sessions that `accept` likes. What it does not like stays.
    ///
    /// `accept` runs under a lock: it should only compare, and must not call into a TLS library
    /// or this store.
    pub fn offer_where<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        now: Timestamp,
        accept: impl FnMut(&S) -> bool,
    ) -> Option<Offer<S>> {
        self.find_session(key.into(), Want::Any, now, Sweep::No, accept)
    }

    /// Takes the newest valid single-use session of `key`, which is removed. Sweeps as it goes, as
    /// [`begin`](Self::begin) does.
    pub fn take<'k>(&self, key: impl Into<KeyRef<'k>>, now: Timestamp) -> Option<Offer<S>> {
        self.find_session(key.into(), Want::SingleUse, now, Sweep::Along, |_| true)
    }

    /// The same for a client that asks for the two kinds one after the other, as rustls does: this
    /// first, and [`copy`](Self::copy) if there is none. A connection that finds neither has missed
    /// once, so only `copy` counts it.
    pub fn take_first<'k>(&self, key: impl Into<KeyRef<'k>>, now: Timestamp) -> Option<Offer<S>> {
        let want = Want::SingleUseFirst;
        self.find_session(key.into(), want, now, Sweep::Along, |_| true)
    }

    /// A private copy of the valid reusable session of `key`.
    pub fn copy<'k>(&self, key: impl Into<KeyRef<'k>>, now: Timestamp) -> Option<Offer<S>> {
        self.find_session(key.into(), Want::Reusable, now, Sweep::No, |_| true)
    }

    /// The key-exchange group that the server chose last, by its TLS number.
    pub fn hint<'k>(&self, key: impl Into<KeyRef<'k>>) -> Option<u16> {
        let at = self.at(key);
        self.parts.get(at.hash)?.lock().hint(at)
    }

    /// Remembers the group that the server chose. Hints take no place from sessions: a server
    /// without a session has its hint kept in a small table that forgets.
    pub fn set_hint<'k>(&self, key: impl Into<KeyRef<'k>>, group: u16) {
        let at = self.at(key);
        if let Some(part) = self.parts.get_or_make(at.hash, &self.limits) {
            part.lock().set_hint(at, group);
        }
    }

    /// Removes the session `id` of `key`, if it is still there; a newer one that was stored
    /// meanwhile stays. If it, or a copy of it, may have left memory, all there is of the server
    /// goes.
    pub fn remove<'k>(&self, key: impl Into<KeyRef<'k>>, id: EntryId) -> bool {
        let at = self.at(key);
        let mut dropped = Vec::new();
        let part = self.parts.get(at.hash);
        let removed = part.and_then(|part| part.lock().remove(at, id, &mut dropped));
        let was_there = removed.is_some();
        if self.behind.is_some() && removed != Some(Usage::SingleUse) {
            self.clear_server(at.key);
        }
        was_there
    }

    /// Removes the session `id` of `key` and all that came before it, for a handshake with it that
    /// failed: what made it fail may be true of the older ones, and a client must not fail again
    /// and again. What was stored since stays; but where something lies behind the store, all there
    /// is of the server goes, since what comes back from there is older than it looks.
    pub fn remove_up_to<'k>(&self, key: impl Into<KeyRef<'k>>, id: EntryId) {
        let key = key.into();
        if self.behind.is_some() {
            return self.clear_server(key);
        }
        let at = self.at(key);
        if let Some(part) = self.parts.get(at.hash) {
            let mut dropped = Vec::new();
            part.lock().remove_up_to(at, id, &mut dropped);
        }
    }

    /// Removes the reusable session of `key`, whichever it is, for a backend that is not told
    /// which one failed; where something lies behind the store, all there is of the server.
    pub fn remove_reusable<'k>(&self, key: impl Into<KeyRef<'k>>) -> bool {
        let at = self.at(key);
        let mut dropped = Vec::new();
        let part = self.parts.get(at.hash);
        let removed = part.is_some_and(|part| part.lock().remove_reusable(at, &mut dropped));
        if self.behind.is_some() {
            self.clear_server(at.key);
        }
        removed
    }

    /// Removes all there is of one server. What connections to it put that have begun already is
    /// refused.
    pub fn clear_server<'k>(&self, key: impl Into<KeyRef<'k>>) {
        let at = self.at(key);
        if let Some(part) = self.parts.get_or_make(at.hash, &self.limits) {
            let mut dropped = Vec::new();
            let telling = self.telling();
            let mut shard = part.lock();
            // Under the lock, so that generations reach a shard in their order.
            let now_is = self.next_generation();
            shard.clear_server(at, now_is, &mut dropped);
            drop(shard);
            if let Some(behind) = &self.behind {
                behind.revoked(at.key, now_is);
            }
            drop(telling);
        }
    }

    /// Removes everything. What connections put that have begun already is refused.
    pub fn clear(&self) {
        let telling = self.telling();
        self.clear_memory();
        if let Some(behind) = &self.behind {
            behind.cleared(Generation(self.generation.load(Ordering::Acquire)));
        }
        drop(telling);
    }

    fn clear_memory(&self) {
        let mut dropped = Vec::new();
        let mut cleared = self.parts.hold();
        *cleared = self.next_generation();
        for part in self.parts.iter() {
            let mut shard = part.lock();
            shard.clear(self.next_generation(), &mut dropped);
        }
        drop(cleared);
    }

    fn telling(&self) -> Option<MutexGuard<'_, ()>> {
        let telling = || self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        self.behind.is_some().then(telling)
    }

    /// Counts what became of a session that `key`'s connection was offered.
    pub fn report<'k>(&self, key: impl Into<KeyRef<'k>>, outcome: Outcome) {
        let at = self.at(key);
        let Some(part) = self.parts.get_or_make(at.hash, &self.limits) else {
            return;
        };
        self.watched.note(at.key, |stats| stats.count(outcome));
        part.count(outcome);
        self.events.ended(at.key, outcome);
    }

    /// Counts what happens to one server from now on, for
    /// [`server_stats`](Self::server_stats). Each operation looks through the servers watched: for
    /// a handful of them, to find out why one does not resume.
    pub fn watch<'k>(&self, key: impl Into<KeyRef<'k>>) {
        self.watched.add(key.into());
    }

    /// Counts one server no longer.
    pub fn unwatch<'k>(&self, key: impl Into<KeyRef<'k>>) {
        self.watched.remove(key.into());
    }

    /// The counters of a server that is watched, and what is held of it.
    pub fn server_stats<'k>(&self, key: impl Into<KeyRef<'k>>) -> Option<ServerStats> {
        let at = self.at(key);
        let stats = self.watched.get(at.key)?;
        let part = self.parts.get(at.hash);
        let held = part.map_or(0, |part| part.lock().held(at));
        Some(ServerStats {
            held: held as u64,
            ..stats
        })
    }

    /// Whether servers go by their names and ports in the events that this store gives to `tracing`,
    /// from now on. Else, and at first, by 16 hexadecimal digits of a SHA-256 over the key and a
    /// secret that this store has drawn: the same for one server as long as the store lives, and
    /// nothing that a list of names could be held against. A name is on one printable line, cut after
    /// 253 characters.
    #[cfg(feature = "tracing")]
    pub fn log_server_names(&self, named: bool) {
        self.events.log_server_names(named);
    }

    /// The counters so far and what the store holds now. Walks over all servers.
    pub fn stats(&self) -> Stats {
        let mut sum = Stats {
            missed: self.counters.missed.load(Ordering::Relaxed),
            ..Stats::default()
        };
        for part in self.parts.iter() {
            sum.add(&part.stats());
        }
        sum
    }

    #[inline]
    fn at<'k>(&self, key: impl Into<KeyRef<'k>>) -> At<'k> {
        let key = key.into();
        let hash = self.hasher.hash(key);
        At { hash, key }
    }

    /// In a process that was forked since the store was last used, drops what is the parent's.
    fn leave_to_parent(&self) {
        if !self.process.is_this() {
            // Before the store is said to belong here: who comes in between clears it, too. What
            // lies behind is the parent's, and not told.
            self.clear_memory();
            self.process.take_over();
        }
    }

    fn next_generation(&self) -> Generation {
        Generation(self.generation.fetch_add(1, Ordering::AcqRel) + 1)
    }
}

impl<S> fmt::Debug for SessionStore<S> {
    /// Shows the limits, never what is stored.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStore")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// How many shards serve `limits` well: small enough to be swept in one step, large enough that
/// one server's full share leaves most of its shard to others.
fn shards_for(limits: &Limits) -> usize {
    if limits.servers == 0 {
        return 0;
    }
    let by_servers = (limits.servers / SERVERS_A_SHARD).max(1);
    let most_for_one = limits
        .server_bytes
        .max(1)
        .saturating_mul(SERVERS_BYTES_A_SHARD);
    let by_bytes = (limits.total_bytes / most_for_one).max(1);
    let shards = by_servers.min(by_bytes).min(MOST_SHARDS);
    // The largest power of two that is not above.
    1 << shards.ilog2()
}

/// Something of everything, so that the compiler proves what the contract says of threads.
const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<SessionStore<Vec<u8>>>();
};

#[cfg(test)]
mod interleaving_tests;
