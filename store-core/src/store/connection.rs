//! A connection's look-up, and its end.

use std::mem::forget;

use super::SessionStore;
use super::shards::LockedShard;
use crate::dropped::Dropped;
use crate::shard::HashedKey;
use crate::sync::Ordering;
use crate::{
    Begun, Entry, EntryId, KeyRef, LookUp, Offer, Outcome, Outlook, Refused, Start, Storable,
    Timestamp, Usage, Want,
};

impl<S: Storable> SessionStore<S> {
    /// Begins a connection to `key`: looks up a session to offer among those that `accept` accepts,
    /// the server's hint, and the generation. The others stay.
    ///
    /// If the [address](LookUp::address) of the connection is known: a session that it gave, or one that is
    /// known to share keys with it, before one of another address; none of an address whose sessions are
    /// known to be declined there.
    ///
    /// `accept` runs under a lock: it should only compare, and must not call into a TLS library
    /// or this store.
    #[inline]
    pub fn begin<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        look_up: impl Into<LookUp>,
        now: Timestamp,
        accept: impl FnMut(&S) -> bool,
    ) -> Start<S> {
        self.look_up(key, look_up.into(), now, accept)
    }

    #[inline]
    fn look_up<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        look_up: LookUp,
        now: Timestamp,
        mut accept: impl FnMut(&S) -> bool,
    ) -> Start<S> {
        // As in `hashed`: returned from there, the key would be copied.
        let (hash, key) = (0, key.into());
        let mut hashed = HashedKey { hash, key };
        hashed.hash = self.hasher.hash(&hashed.key);
        let mut start = hashed.start(self.generation(), now);
        start.begun.address = look_up.address;
        let shard = if look_up.reports {
            self.shards.get(hashed.hash)
        } else {
            // It has to remember how long handshakes take.
            self.shards.get_or_create(hashed.hash, &self.limits)
        };
        if let Some(shard) = shard {
            self.look_up_in(shard, &hashed, look_up, now, &mut accept, &mut start);
        } else if self.shards.len() > 0 && look_up.want != Want::SingleUseFirst {
            self.counters.missed.fetch_add(1, Ordering::Relaxed);
            self.count_miss(&hashed.key);
        }
        start
    }

    /// Looks up a session in the shard of its key. `start` is updated, since it is large.
    #[inline]
    fn look_up_in(
        &self,
        shard: &LockedShard<S>,
        hashed: &HashedKey<'_>,
        look_up: LookUp,
        now: Timestamp,
        accept: &mut impl FnMut(&S) -> bool,
        start: &mut Start<S>,
    ) {
        let mut dropped = Dropped::new();
        let mut locked = shard.lock();
        locked.begin(hashed, look_up, now, accept, &mut dropped, start);
        drop(locked);
        dropped.clear();
        forget(dropped);
        if S::PACKS {
            self.unpack(shard, hashed, &mut start.offer, now);
        }
        match &start.offer {
            Some(offer) => {
                let usage = offer.entry.usage;
                self.watched.count(&hashed.key, |stats| {
                    stats.offered += 1;
                    stats.taken += u64::from(usage == Usage::SingleUse);
                });
                self.events.offered(&hashed.key, usage);
            }
            None if start.avoided => {
                if !look_up.is_second() {
                    self.watched.count(&hashed.key, |stats| stats.avoided += 1);
                    self.events.avoided(&hashed.key);
                }
            }
            None if look_up.want == Want::SingleUseFirst => {}
            None => self.count_miss(&hashed.key),
        }
    }

    /// What a connection to `key` that begins at `now` would find, if it accepts every session and reports
    /// its outcome. Changes nothing, and counts nothing.
    pub fn outlook<'k>(&self, key: impl Into<KeyRef<'k>>, now: Timestamp) -> Outlook {
        self.clear_after_fork();
        if self.shards.len() == 0 {
            return Outlook::Off;
        }
        let hashed = self.hashed(key);
        let shard = self.shards.get(hashed.hash);
        shard.map_or(Outlook::NoSession, |shard| {
            shard.lock().outlook(&hashed, now)
        })
    }

    /// Returns the session that a connection to `key` should offer, as [`begin`](Self::begin) does.
    pub fn offer<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        look_up: impl Into<LookUp>,
        now: Timestamp,
        accept: impl FnMut(&S) -> bool,
    ) -> Option<Offer<S>> {
        self.begin(key, look_up, now, accept).offer
    }

    fn count_miss(&self, key: &KeyRef<'_>) {
        self.watched.count(key, |stats| stats.missed += 1);
        self.events.missed(key);
        if let Some(observer) = &self.observer {
            observer.missed(*key);
        }
    }

    /// Ends a handshake with `key` that [`begin`](Self::begin) began, in one step: counts the
    /// outcome, if a session was offered; stores the group that the server chose, if it is known;
    /// and stores a session received, as [`put`](Self::put) does.
    pub fn finish<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        begun: &Begun,
        outcome: Option<Outcome>,
        hint: Option<u16>,
        session: Option<Entry<S>>,
        now: Timestamp,
    ) -> Option<Result<EntryId, Refused>> {
        let (hash, mut index) = (begun.hash, begun.index);
        let key = key.into();
        let mut hashed = HashedKey { hash, key };
        if !begun.is_looked_up {
            hashed.hash = self.hasher.hash(&hashed.key);
        }
        let Some(shard) = self.shards.get_or_create(hashed.hash, &self.limits) else {
            return session.map(|_| Err(Refused::Off));
        };
        let (mut dropped, mut standing_changed) = (Dropped::new(), false);
        let mut locked = shard.lock();
        if let Some(outcome) = outcome {
            locked.count(outcome);
            let tells = outcome != Outcome::Resumed || begun.is_of_other_address();
            if (tells || locked.remembers(index)) && self.has_history {
                let ended = (outcome, begun);
                standing_changed = locked.remember(&hashed, &mut index, ended, now, &mut dropped);
            }
        }
        if let Some(group) = hint {
            locked.set_hint(&hashed, &mut index, group);
        }
        let Some(mut entry) = session else {
            drop(locked);
            dropped.clear();
            forget(dropped);
            self.tell(&hashed.key, outcome, None);
            if standing_changed {
                self.tell_standing(&hashed);
            }
            return None;
        };
        entry.address = entry.address.or(begun.address);
        let usage = entry.usage;
        let put = locked.put(&hashed, &mut index, entry, begun, now, &mut dropped);
        let (is_packing_due, is_sweep_due) = (locked.is_packing_due(), locked.is_sweep_due());
        drop(locked);
        dropped.clear();
        forget(dropped);
        self.tell(&hashed.key, outcome, Some(put.is_ok()));
        if standing_changed {
            self.tell_standing(&hashed);
        }
        if is_packing_due {
            self.pack(shard, index, now);
        }
        if is_sweep_due {
            self.sweep_steps(shard, now);
        }
        if let (Ok(_), Some(observer)) = (put, &self.observer) {
            observer.stored(hashed.key, usage);
        }
        Some(put)
    }

    /// Counts the end of a connection for a watched server, and whether it put a session. Emits its event.
    #[inline]
    fn tell(&self, key: &KeyRef<'_>, outcome: Option<Outcome>, put: Option<bool>) {
        self.watched.count(key, |stats| {
            if let Some(outcome) = outcome {
                stats.count(outcome);
            }
            match put {
                Some(true) => stats.stored += 1,
                Some(false) => stats.refused += 1,
                None => {}
            }
        });
        if let Some(outcome) = outcome {
            self.events.ended(key, outcome);
        }
    }

    /// Tells the observer the standing of a server. It is read only now: another connection may have
    /// changed it since, and told the observer first. A server that was removed since has none.
    #[cold]
    fn tell_standing(&self, hashed: &HashedKey<'_>) {
        let Some(observer) = &self.observer else {
            return;
        };
        let notifying = self.lock_notifying();
        let shard = self.shards.get(hashed.hash);
        if let Some(standing) = shard.and_then(|shard| shard.lock().standing(hashed)) {
            observer.standing(hashed.key, standing);
        }
        drop(notifying);
    }

    /// Stores a session that a connection to `key` received. `begun` is what [`begin`](Self::begin)
    /// returned, or the generation in which the connection began.
    ///
    /// The limits bound the entry's expiry. A reusable session replaces the previous one; a
    /// single-use session is added, and the oldest ones are dropped when there are too many. Each
    /// put also frees some expired sessions, so that [`sweep`](Self::sweep) need not be called.
    pub fn put<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        entry: Entry<S>,
        begun: impl Into<Begun>,
        now: Timestamp,
    ) -> Result<EntryId, Refused> {
        let put = self.finish(key, &begun.into(), None, None, Some(entry), now);
        put.unwrap_or(Err(Refused::Off))
    }

    /// Counts and remembers the outcome of a handshake with `key`.
    pub fn report<'k>(&self, key: impl Into<KeyRef<'k>>, outcome: Outcome, now: Timestamp) {
        let begun = Begun {
            is_doubtful: true, // it may have been
            ..self.generation().into()
        };
        self.finish(key, &begun, Some(outcome), None, None, now);
    }

    /// Stores the group that the server chose (a TLS `NamedGroup`). Hints take no room from
    /// sessions: that of a server without a session is forgotten first.
    pub fn set_hint<'k>(&self, key: impl Into<KeyRef<'k>>, group: u16) {
        let now = Timestamp::EPOCH; // nothing is stored
        self.finish(key, &self.generation().into(), None, Some(group), None, now);
    }

    /// The key-exchange group that the server chose last.
    pub fn hint<'k>(&self, key: impl Into<KeyRef<'k>>) -> Option<u16> {
        let hashed = self.hashed(key);
        self.shards.get(hashed.hash)?.lock().hint(&hashed)
    }
}
