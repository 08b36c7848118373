//! What a tier is asked to do, each as one transaction or as several short ones.
//!
//! Nobody else can write while a transaction is under way, so each does a bounded amount of work.

use std::time::{Duration, Instant};

use heed::RwTxn;
use store_core::{Timestamp, Usage};

use super::env::File;
use super::error::Trouble;
use super::keys::IndexKey;
use super::tables::Tables;
use crate::{Sealed, ServerId, Taken};

/// Records put in one transaction, and bytes in them.
const PUT_RECORDS: usize = 32;
const PUT_BYTES: usize = 256 << 10;
/// Records removed in one transaction.
const REMOVE: usize = 32;
/// Records loaded in one transaction.
const LOAD: usize = 32;
/// How long a sweep goes on removing. Committing what it removed takes about as long again, so
/// that others wait less than 2 ms.
const SWEEP: Duration = Duration::from_micros(500);
/// How often room is made for a record that finds none before it is lost.
const TRIES: usize = 8;
/// How often room is made after a put, each time for [`REMOVE`] records: more than enough, unless
/// another process has put as much meanwhile, which then makes room itself.
const ROUNDS: usize = 64;

type Outcome<T> = Result<T, Trouble>;

/// An open file with its tables.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) file: File,
    pub(super) tables: Tables,
}

/// How much a tier lets into the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The size of the file, in bytes.
    pub(super) file: usize,
    /// Single-use records of a server.
    pub(super) server_records: usize,
    /// Bytes in them.
    pub(super) server_bytes: usize,
}

impl Bounds {
    /// The same for a file that is as it is.
    fn within(self, file: usize) -> Self {
        let file = file.min(self.file);
        Self { file, ..self }
    }

    /// What the tables may fill, in bytes. The rest of the file is what a transaction needs while
    /// the pages it replaces are still in use.
    fn tables(&self) -> usize {
        self.file.saturating_sub((self.file / 8).max(256 << 10))
    }

    /// Bytes in the single-use records of a server, so that none can push out all others.
    fn server_bytes(&self) -> usize {
        self.server_bytes.min(self.tables() / 4)
    }
}

impl Work {
    /// See [`Tier::put`](crate::Tier::put). Records for which no room can be made are lost.
    pub(super) fn put(&self, records: &[Sealed], now: Timestamp, bounds: &Bounds) -> Outcome<()> {
        let bounds = &bounds.within(self.file.info().map_size);
        let fits =
            |record: &&Sealed| record.expires > now && record.bytes.len() <= bounds.server_bytes();
        let records: Vec<&Sealed> = records.iter().filter(fits).collect();
        let mut begun = false;
        for step in steps(&records) {
            match self.put_step(step, bounds) {
                Err(trouble) if trouble.is_full() => self.put_slowly(step, bounds, begun)?,
                done => done.map_err(|trouble| trouble.after(begun))?,
            }
            begun = true;
        }
        Ok(())
    }

    fn put_step(&self, records: &[&Sealed], bounds: &Bounds) -> Outcome<()> {
        let mut txn = self.file.write_txn()?;
        for (place, record) in (0..).zip(records) {
            self.tables.put(&mut txn, record, place)?;
        }
        let mut servers: Vec<&ServerId> = records.iter().map(|record| &record.server).collect();
        servers.sort_unstable();
        servers.dedup();
        for server in servers {
            let (most, bytes) = (bounds.server_records, bounds.server_bytes());
            self.tables.trim(&mut txn, server, most, bytes)?;
        }
        let room = self.make_room(&mut txn, bounds.tables())?;
        commit(txn)?;
        if !room {
            // What was put is put, whether there is room for more or not.
            let _ = self.make_room_in_steps(bounds.tables());
        }
        Ok(())
    }

    /// Puts records one at a time where the file is full: more and more room is made for each, and
    /// at last it is lost.
    fn put_slowly(&self, records: &[&Sealed], bounds: &Bounds, mut begun: bool) -> Outcome<()> {
        // What dead processes were looking at is kept for them till now.
        self.file
            .clear_stale_readers()
            .map_err(|error| Trouble::from(error).after(begun))?;
        for record in records {
            for tried in 1..=TRIES {
                let done = match self.put_step(&[*record], bounds) {
                    Err(trouble) if trouble.is_full() => {
                        self.make_room_in_steps(bounds.tables() / TRIES * (TRIES - tried))
                    }
                    Ok(()) => break,
                    failed => failed,
                };
                done.map_err(|trouble| trouble.after(begun))?;
            }
            begun = true;
        }
        Ok(())
    }

    /// Makes room by itself; if the file is so full that not even that can be done, it is left.
    fn make_room_in_steps(&self, most: usize) -> Outcome<()> {
        let step = || {
            let mut txn = self.file.write_txn()?;
            let room = self.make_room(&mut txn, most)?;
            commit(txn)?;
            Ok::<_, Trouble>(room)
        };
        for _ in 0..ROUNDS {
            match step() {
                Ok(true) => break,
                Ok(false) => {}
                Err(trouble) if trouble.is_full() => break,
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(())
    }

    /// Removes what expires first, a few records at most, until the tables fill no more than
    /// `most` bytes; says whether they do.
    fn make_room(&self, txn: &mut RwTxn<'_>, most: usize) -> Outcome<bool> {
        for _ in 0..REMOVE {
            if self.tables.used(txn)? <= most {
                return Ok(true);
            }
            let Some(entry) = self.tables.first(txn)? else {
                // What is there cannot be found by its expiry, so it is nothing of ours.
                self.tables.clear(txn)?;
                return Ok(true);
            };
            self.tables.remove(txn, &entry)?;
        }
        Ok(self.tables.used(txn)? <= most)
    }

    /// See [`Tier::take`](crate::Tier::take). Where there is nothing to take, nobody is waited for.
    pub(super) fn take(&self, server: &ServerId, most: usize, now: Timestamp) -> Outcome<Taken> {
        let (single, reusable) = {
            let txn = self.file.read_txn()?;
            self.tables.look(&txn, server, now)?
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
            // Not even removing has room: a miss.
            Err(trouble) if trouble.is_full() => {}
            Err(trouble) => return Err(trouble),
        }
        Ok(taken)
    }

    fn take_single(&self, server: &ServerId, most: usize, now: Timestamp) -> Outcome<Vec<Vec<u8>>> {
        let mut records = Vec::new();
        let mut txn = self.file.write_txn()?;
        while records.len() < most {
            match self.tables.take_single(&mut txn, server, now)? {
                Some(record) => records.push(record),
                None => break,
            }
        }
        // Only what is gone for everybody is handed out.
        commit(txn)?;
        Ok(records)
    }

    /// See [`Tier::remove`](crate::Tier::remove).
    pub(super) fn remove(&self, server: &ServerId) -> Outcome<()> {
        let step = || {
            let mut txn = self.file.write_txn()?;
            let all = self.tables.remove_server(&mut txn, server, REMOVE)?;
            commit(txn)?;
            Ok::<_, Trouble>(all)
        };
        let mut begun = false;
        while !step().map_err(|trouble| trouble.after(begun))? {
            begun = true;
        }
        Ok(())
    }

    /// See [`Tier::clear`](crate::Tier::clear).
    pub(super) fn clear(&self) -> Outcome<()> {
        let mut txn = self.file.write_txn()?;
        self.tables.clear(&mut txn)?;
        commit(txn)
    }

    /// See [`Tier::sweep`](crate::Tier::sweep). Where nothing has expired, nobody is waited for.
    pub(super) fn sweep(&self, now: Timestamp) -> Outcome<bool> {
        let is_over =
            |entry: &Vec<u8>| IndexKey::decode(entry).is_none_or(|entry| entry.expires() <= now);
        let first = {
            let txn = self.file.read_txn()?;
            self.tables.first(&txn)?
        };
        if !first.is_some_and(|entry| is_over(&entry)) {
            return Ok(false);
        }
        let mut txn = self.file.write_txn()?;
        let begun = Instant::now();
        let mut more = true;
        for _ in 0..REMOVE {
            let Some(entry) = self.tables.first(&txn)?.filter(is_over) else {
                more = false;
                break;
            };
            self.tables.remove(&mut txn, &entry)?;
            if begun.elapsed() >= SWEEP {
                break;
            }
        }
        commit(txn)?;
        Ok(more)
    }

    /// See [`Tier::load`](crate::Tier::load). What was taken when a step fails is handed out, for
    /// it is gone from the file.
    pub(super) fn load(&self, most: usize, now: Timestamp) -> Outcome<Vec<Sealed>> {
        let mut loaded = Vec::new();
        let mut at = None;
        while loaded.len() < most {
            let step = LOAD.min(most - loaded.len());
            match self.load_step(step, now, at.as_deref()) {
                Ok((records, next)) => {
                    loaded.extend(records);
                    at = next;
                }
                Err(trouble) if loaded.is_empty() && !trouble.is_full() => return Err(trouble),
                Err(_) => break,
            }
            if at.is_none() {
                break;
            }
        }
        Ok(loaded)
    }

    /// Loads records that expire before the entry `at`, and says where to go on, if anywhere.
    fn load_step(
        &self,
        most: usize,
        now: Timestamp,
        at: Option<&[u8]>,
    ) -> Outcome<(Vec<Sealed>, Option<Vec<u8>>)> {
        let mut records = Vec::new();
        let mut txn = self.file.write_txn()?;
        let mut at = at.map(<[u8]>::to_vec);
        for _ in 0..most {
            at = self.tables.before(&txn, at.as_deref())?;
            let Some(entry) = &at else { break };
            let found = match IndexKey::decode(entry) {
                Some(index) if index.expires() <= now => {
                    at = None;
                    break;
                }
                Some(index) => self.tables.record(&txn, &index)?,
                None => None,
            };
            if found
                .as_ref()
                .is_none_or(|record| record.usage == Usage::SingleUse)
            {
                self.tables.remove(&mut txn, entry)?;
            }
            records.extend(found);
        }
        commit(txn)?;
        Ok((records, at))
    }

    #[cfg(test)]
    pub(super) fn put_garbage(&self, server: &[u8; 32]) -> Outcome<()> {
        let mut txn = self.file.write_txn()?;
        self.tables.put_garbage(&mut txn, server)?;
        commit(txn)
    }
}

/// Cuts records into what is put in one transaction each.
fn steps<'a, 'r>(mut records: &'a [&'r Sealed]) -> impl Iterator<Item = &'a [&'r Sealed]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = records.iter().take(PUT_RECORDS).take_while(|record| {
            bytes += record.bytes.len();
            bytes <= PUT_BYTES
        });
        // One at least, however long it is.
        let (step, rest) = records.split_at_checked(fits.count().max(1))?;
        records = rest;
        Some(step)
    })
}

/// A transaction that cannot be committed may still be done; but not where the file is full, for
/// then LMDB ends it before it writes the meta page.
fn commit(txn: RwTxn<'_>) -> Outcome<()> {
    txn.commit().map_err(|error| match error {
        heed::Error::Mdb(heed::MdbError::MapFull) => Trouble::NotApplied(error),
        error => Trouble::MaybeApplied(error),
    })
}
