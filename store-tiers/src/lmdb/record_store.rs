//! The operations of the tier, each in one write transaction or in several short ones.
//!
//! A write transaction blocks all other writers, so each does a bounded amount of work.

use std::time::{Duration, Instant};

use heed::RwTxn;
use store_core::{Timestamp, Usage};

use super::env::Environment;
use super::error::{LmdbResult, TxnError};
use super::keys::IndexKey;
use super::tables::Tables;
use crate::{Sealed, ServerId, Taken};

/// Most records put in one transaction, and most bytes in them.
const PUT_RECORDS: usize = 32;
const PUT_BYTES: usize = 256 << 10;
/// Most records removed in one transaction.
const REMOVE_RECORDS: usize = 32;
/// Most records loaded in one transaction.
const LOAD_RECORDS: usize = 32;
/// How long a sweep removes records. Its commit takes about as long again, so that other writers
/// wait less than 2 ms.
const SWEEP_TIME: Duration = Duration::from_micros(500);
/// Most attempts to put a record into a full file, each after more evictions.
const PUT_TRIES: usize = 8;
/// Most transactions that evict after a put, [`REMOVE_RECORDS`] records each: more than enough,
/// unless another process puts as much meanwhile: that process then evicts, too.
const EVICTIONS: usize = 64;

/// An environment with its tables.
#[derive(Debug)]
pub(super) struct RecordStore {
    pub(super) env: Environment,
    pub(super) tables: Tables,
}

/// The limits that a tier applies when it puts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The size of the file, in bytes.
    pub(super) file: usize,
    /// Most single-use records of a server.
    pub(super) server_records: usize,
    /// Most bytes in them.
    pub(super) server_bytes: usize,
}

impl Bounds {
    /// The limits in an existing file, which may be smaller.
    fn within(self, file: usize) -> Self {
        let file = file.min(self.file);
        Self { file, ..self }
    }

    /// Most bytes of the tables. A transaction needs the rest of the file while the pages that it
    /// replaces are still in use.
    fn tables(&self) -> usize {
        self.file.saturating_sub((self.file / 8).max(256 << 10))
    }

    /// Most bytes in the single-use records of a server, so that none can evict all others.
    fn server_bytes(&self) -> usize {
        self.server_bytes.min(self.tables() / 4)
    }
}

impl RecordStore {
    /// See [`Tier::put`](crate::Tier::put). Records that do not fit even after evictions are lost.
    pub(super) fn put(
        &self,
        records: &[Sealed],
        now: Timestamp,
        bounds: &Bounds,
    ) -> LmdbResult<()> {
        let bounds = &bounds.within(self.env.info().map_size);
        let fits =
            |record: &&Sealed| record.expires > now && record.bytes.len() <= bounds.server_bytes();
        let records: Vec<&Sealed> = records.iter().filter(fits).collect();
        let mut committed = false;
        for batch in batches(&records) {
            match self.put_batch(batch, bounds) {
                Err(error) if error.is_full() => self.put_each(batch, bounds, committed)?,
                done => done.map_err(|error| error.after(committed))?,
            }
            committed = true;
        }
        Ok(())
    }

    fn put_batch(&self, records: &[&Sealed], bounds: &Bounds) -> LmdbResult<()> {
        let mut txn = self.env.write_txn()?;
        for (index, record) in (0..).zip(records) {
            self.tables.put(&mut txn, record, index)?;
        }
        let mut servers: Vec<&ServerId> = records.iter().map(|record| &record.server).collect();
        servers.sort_unstable();
        servers.dedup();
        for server in servers {
            let (most, bytes) = (bounds.server_records, bounds.server_bytes());
            self.tables.trim(&mut txn, server, most, bytes)?;
        }
        let fits = self.evict_some(&mut txn, bounds.tables())?;
        commit(txn)?;
        if !fits {
            // The records are committed: a failed eviction does not fail the put.
            let _ = self.evict(bounds.tables());
        }
        Ok(())
    }

    /// Puts records one by one into a full file: evicts more after each attempt, and drops a record
    /// after the last one.
    fn put_each(
        &self,
        records: &[&Sealed],
        bounds: &Bounds,
        mut committed: bool,
    ) -> LmdbResult<()> {
        // Frees the pages that dead processes were reading.
        self.env
            .clear_stale_readers()
            .map_err(|error| TxnError::from(error).after(committed))?;
        for record in records {
            for attempt in 1..=PUT_TRIES {
                let done = match self.put_batch(&[*record], bounds) {
                    Err(error) if error.is_full() => {
                        self.evict(bounds.tables() / PUT_TRIES * (PUT_TRIES - attempt))
                    }
                    Ok(()) => break,
                    failed => failed,
                };
                done.map_err(|error| error.after(committed))?;
            }
            committed = true;
        }
        Ok(())
    }

    /// Evicts in transactions of its own until the tables use at most `most` bytes. Stops without
    /// an error if the file is too full even for that.
    fn evict(&self, most: usize) -> LmdbResult<()> {
        let step = || {
            let mut txn = self.env.write_txn()?;
            let fits = self.evict_some(&mut txn, most)?;
            commit(txn)?;
            Ok::<_, TxnError>(fits)
        };
        for _ in 0..EVICTIONS {
            match step() {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) if error.is_full() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes up to [`REMOVE_RECORDS`] records that expire first, until the tables use at most
    /// `most` bytes. Returns whether they do.
    fn evict_some(&self, txn: &mut RwTxn<'_>, most: usize) -> LmdbResult<bool> {
        for _ in 0..REMOVE_RECORDS {
            if self.tables.used(txn)? <= most {
                return Ok(true);
            }
            let Some(index) = self.tables.first(txn)? else {
                // Records that are not in the index are garbage.
                self.tables.clear(txn)?;
                return Ok(true);
            };
            self.tables.remove(txn, &index)?;
        }
        Ok(self.tables.used(txn)? <= most)
    }

    /// See [`Tier::take`](crate::Tier::take). Without a single-use record it does not wait for
    /// other writers.
    pub(super) fn take(&self, server: &ServerId, most: usize, now: Timestamp) -> LmdbResult<Taken> {
        let (single, reusable) = {
            let txn = self.env.read_txn()?;
            self.tables.peek(&txn, server, now)?
        };
        let mut taken = Taken {
            single_use: Vec::new(),
            reusable,
        };
        if !single || most == 0 {
            return Ok(taken);
        }
        match self.take_single(server, most, now) {
            Ok(records) => taken.single_use = records,
            // The file is too full even to remove a record: a miss.
            Err(error) if error.is_full() => {}
            Err(error) => return Err(error),
        }
        Ok(taken)
    }

    fn take_single(
        &self,
        server: &ServerId,
        most: usize,
        now: Timestamp,
    ) -> LmdbResult<Vec<Vec<u8>>> {
        let mut records = Vec::new();
        let mut txn = self.env.write_txn()?;
        while records.len() < most {
            match self.tables.take_single(&mut txn, server, now)? {
                Some(record) => records.push(record),
                None => break,
            }
        }
        // The removal is committed, for all processes, before the records are returned.
        commit(txn)?;
        Ok(records)
    }

    /// See [`Tier::remove`](crate::Tier::remove).
    pub(super) fn remove(&self, server: &ServerId) -> LmdbResult<()> {
        let step = || {
            let mut txn = self.env.write_txn()?;
            let all = self
                .tables
                .remove_server(&mut txn, server, REMOVE_RECORDS)?;
            commit(txn)?;
            Ok::<_, TxnError>(all)
        };
        let mut committed = false;
        while !step().map_err(|error| error.after(committed))? {
            committed = true;
        }
        Ok(())
    }

    /// See [`Tier::clear`](crate::Tier::clear).
    pub(super) fn clear(&self) -> LmdbResult<()> {
        let mut txn = self.env.write_txn()?;
        self.tables.clear(&mut txn)?;
        commit(txn)
    }

    /// See [`Tier::sweep`](crate::Tier::sweep). Without an expired record it does not wait for
    /// other writers.
    pub(super) fn sweep(&self, now: Timestamp) -> LmdbResult<bool> {
        let is_expired =
            |index: &Vec<u8>| IndexKey::decode(index).is_none_or(|index| index.expires() <= now);
        let first = {
            let txn = self.env.read_txn()?;
            self.tables.first(&txn)?
        };
        if !first.is_some_and(|index| is_expired(&index)) {
            return Ok(false);
        }
        let mut txn = self.env.write_txn()?;
        let started = Instant::now();
        let mut more = true;
        for _ in 0..REMOVE_RECORDS {
            let Some(index) = self.tables.first(&txn)?.filter(is_expired) else {
                more = false;
                break;
            };
            self.tables.remove(&mut txn, &index)?;
            if started.elapsed() >= SWEEP_TIME {
                break;
            }
        }
        commit(txn)?;
        Ok(more)
    }

    /// See [`Tier::load`](crate::Tier::load). If a later transaction fails, the records of the
    /// earlier ones are returned, since they are removed from the file.
    pub(super) fn load(&self, most: usize, now: Timestamp) -> LmdbResult<Vec<Sealed>> {
        let mut loaded = Vec::new();
        let mut position = None;
        while loaded.len() < most {
            let batch = LOAD_RECORDS.min(most - loaded.len());
            match self.load_batch(batch, now, position.as_deref()) {
                Ok((records, next)) => {
                    loaded.extend(records);
                    position = next;
                }
                Err(error) if loaded.is_empty() && !error.is_full() => return Err(error),
                Err(_) => break,
            }
            if position.is_none() {
                break;
            }
        }
        Ok(loaded)
    }

    /// Loads records before `position` in the expiry index. Returns the position for the next
    /// batch, if there may be one.
    fn load_batch(
        &self,
        most: usize,
        now: Timestamp,
        position: Option<&[u8]>,
    ) -> LmdbResult<(Vec<Sealed>, Option<Vec<u8>>)> {
        let mut records = Vec::new();
        let mut txn = self.env.write_txn()?;
        let mut position = position.map(<[u8]>::to_vec);
        for _ in 0..most {
            position = self.tables.before(&txn, position.as_deref())?;
            let Some(encoded) = &position else { break };
            let found = match IndexKey::decode(encoded) {
                Some(index) if index.expires() <= now => {
                    position = None;
                    break;
                }
                Some(index) => self.tables.record(&txn, &index)?,
                None => None,
            };
            if found
                .as_ref()
                .is_none_or(|record| record.usage == Usage::SingleUse)
            {
                self.tables.remove(&mut txn, encoded)?;
            }
            records.extend(found);
        }
        commit(txn)?;
        Ok((records, position))
    }

    #[cfg(test)]
    pub(super) fn put_garbage(&self, server: &[u8; 32]) -> LmdbResult<()> {
        let mut txn = self.env.write_txn()?;
        self.tables.put_garbage(&mut txn, server)?;
        commit(txn)
    }
}

/// Splits records into batches of one transaction each.
fn batches<'a, 'r>(mut records: &'a [&'r Sealed]) -> impl Iterator<Item = &'a [&'r Sealed]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = records.iter().take(PUT_RECORDS).take_while(|record| {
            bytes += record.bytes.len();
            bytes <= PUT_BYTES
        });
        // At least one, also if it is longer than a batch.
        let (batch, rest) = records.split_at_checked(fits.count().max(1))?;
        records = rest;
        Some(batch)
    })
}

/// Commits a transaction. A failed commit may be applied, except in a full file: there LMDB aborts
/// before it writes the meta page.
fn commit(txn: RwTxn<'_>) -> LmdbResult<()> {
    txn.commit().map_err(|error| match error {
        heed::Error::Mdb(heed::MdbError::MapFull) => TxnError::NotApplied(error),
        error => TxnError::MaybeApplied(error),
    })
}
