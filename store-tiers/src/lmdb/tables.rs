//! The three tables of a file, and what is done to them within one transaction.
//!
//! - `single`: single-use records, by server, expiry and age
//! - `reusable`: reusable records, one a server
//! - `expiry`: where the records are, by expiry; no values
//!
//! What cannot be read as it should be is removed when it is met.

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Result, RoTxn, RwTxn};
use store_core::{Timestamp, Usage};

use super::env::File;
use super::keys::{IndexKey, SingleKey, Suffix, decode_reusable, encode_reusable};
use crate::{Sealed, ServerId};

type Table = Database<'static, Bytes, Bytes>;

const SINGLE: &str = "single";
const REUSABLE: &str = "reusable";
const EXPIRY: &str = "expiry";

/// The tables, as this process has opened them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables {
    single: Table,
    reusable: Table,
    expiry: Table,
}

impl Tables {
    /// Makes the tables of a new file.
    pub(super) fn create(file: &File) -> Result<()> {
        file.create_databases_and_commit(file.write_txn()?, |opener, txn| {
            let mut create = |name| opener.create_database::<Bytes, Bytes>(txn, Some(name));
            let made = (create(SINGLE)?, create(REUSABLE)?, create(EXPIRY)?);
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(made))
        })?;
        Ok(())
    }

    /// Opens the tables, for which it waits for nobody. A file without them is damaged.
    pub(super) fn open(file: &File) -> Result<Self> {
        let found = file.open_databases_and_commit(file.read_txn()?, |opener, txn| {
            let open = |name| opener.open_database::<Bytes, Bytes>(txn, Some(name));
            let found = (open(SINGLE)?, open(REUSABLE)?, open(EXPIRY)?);
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(found))
        })?;
        let Some((Some(single), Some(reusable), Some(expiry))) = found.commit() else {
            return Err(heed::MdbError::Invalid.into());
        };
        Ok(Self {
            single,
            reusable,
            expiry,
        })
    }

    /// Puts a record, the `place`th of its transaction. A reusable one replaces that of its server.
    pub(super) fn put(&self, txn: &mut RwTxn<'_>, record: &Sealed, place: u32) -> Result<()> {
        let server = *record.server.as_bytes();
        let expires = record.expires;
        let index = match record.usage {
            Usage::SingleUse => {
                let suffix = Suffix::new(txn.id(), place);
                let key = SingleKey {
                    server,
                    expires,
                    suffix,
                };
                self.single.put(txn, &key.encode(), &record.bytes)?;
                IndexKey::Single(key)
            }
            Usage::Reusable => {
                self.remove_reusable(txn, server)?;
                let value = encode_reusable(expires, &record.bytes);
                self.reusable.put(txn, &server, &value)?;
                IndexKey::Reusable { server, expires }
            }
        };
        self.expiry.put(txn, index.encode().as_ref(), &[])
    }

    /// Drops what expires first of a server's single-use records until there are no more than
    /// `most` of them, and no more than `bytes` in them.
    pub(super) fn trim(
        &self,
        txn: &mut RwTxn<'_>,
        server: &ServerId,
        most: usize,
        bytes: usize,
    ) -> Result<()> {
        let mut surplus = Vec::new();
        let (mut records, mut size) = (0, 0);
        for entry in self.single.rev_prefix_iter(txn, server.as_bytes())? {
            let (key, value) = entry?;
            records += 1;
            size += value.len();
            if records > most || size > bytes {
                surplus.push(key.to_vec());
            }
        }
        for key in surplus {
            self.remove_single(txn, &key)?;
        }
        Ok(())
    }

    /// Whether a server has a single-use record, and a copy of its reusable one.
    pub(super) fn look(
        &self,
        txn: &RoTxn<'_>,
        server: &ServerId,
        now: Timestamp,
    ) -> Result<(bool, Option<Vec<u8>>)> {
        let last = self.last_single(txn, server)?;
        // Garbage counts: it is removed on the way to what is behind it.
        let single =
            last.is_some_and(|(key, _)| SingleKey::decode(key).is_none_or(|key| key.expires > now));
        let reusable = self.reusable.get(txn, server.as_bytes())?;
        let reusable = reusable
            .and_then(decode_reusable)
            .filter(|(expires, _)| *expires > now)
            .map(|(_, record)| record.to_vec());
        Ok((single, reusable))
    }

    /// Takes the single-use record of a server that lives longest.
    pub(super) fn take_single(
        &self,
        txn: &mut RwTxn<'_>,
        server: &ServerId,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>> {
        while let Some((key, record)) = self.last_single(txn, server)? {
            let key = key.to_vec();
            let good = match SingleKey::decode(&key) {
                // So have all before it: the sweep's work.
                Some(key) if key.expires <= now => return Ok(None),
                Some(_) => Some(record.to_vec()),
                None => None,
            };
            self.remove_single(txn, &key)?;
            if good.is_some() {
                return Ok(good);
            }
        }
        Ok(None)
    }

    fn last_single<'t>(
        &self,
        txn: &'t RoTxn<'_>,
        server: &ServerId,
    ) -> Result<Option<(&'t [u8], &'t [u8])>> {
        let behind = SingleKey::behind(server);
        let last = self.single.get_lower_than_or_equal_to(txn, &behind)?;
        Ok(last.filter(|(key, _)| key.starts_with(server.as_bytes())))
    }

    /// The first entry of the expiry index: what expires first. As it is written.
    pub(super) fn first(&self, txn: &RoTxn<'_>) -> Result<Option<Vec<u8>>> {
        Ok(self.expiry.first(txn)?.map(|(key, _)| key.to_vec()))
    }

    /// The entry of the expiry index that lies before another, or the last one.
    pub(super) fn before(&self, txn: &RoTxn<'_>, other: Option<&[u8]>) -> Result<Option<Vec<u8>>> {
        let entry = match other {
            Some(other) => self.expiry.get_lower_than(txn, other)?,
            None => self.expiry.last(txn)?,
        };
        Ok(entry.map(|(key, _)| key.to_vec()))
    }

    /// The record that an entry of the expiry index stands for.
    pub(super) fn record(&self, txn: &RoTxn<'_>, entry: &IndexKey) -> Result<Option<Sealed>> {
        let (server, usage, bytes) = match entry {
            IndexKey::Single(key) => {
                let record = self.single.get(txn, &key.encode())?;
                (key.server, Usage::SingleUse, record)
            }
            IndexKey::Reusable { server, expires } => {
                let value = self.reusable.get(txn, server)?.and_then(decode_reusable);
                let record = value.filter(|(written, _)| written == expires);
                (*server, Usage::Reusable, record.map(|(_, record)| record))
            }
        };
        Ok(bytes.map(|bytes| Sealed {
            server: ServerId::from_bytes(server),
            usage,
            expires: entry.expires(),
            bytes: bytes.to_vec(),
        }))
    }

    /// Removes an entry of the expiry index, and its record if it can be read.
    pub(super) fn remove(&self, txn: &mut RwTxn<'_>, entry: &[u8]) -> Result<()> {
        match IndexKey::decode(entry) {
            Some(IndexKey::Single(key)) => {
                self.single.delete(txn, &key.encode())?;
            }
            Some(IndexKey::Reusable { server, expires }) => {
                let value = self.reusable.get(txn, &server)?;
                // If it is another one, it has another entry.
                let other = value
                    .and_then(decode_reusable)
                    .is_some_and(|(written, _)| written != expires);
                if !other {
                    self.reusable.delete(txn, &server)?;
                }
            }
            None => {}
        }
        self.expiry.delete(txn, entry)?;
        Ok(())
    }

    /// Removes up to `most` records of a server, and says whether that was all.
    pub(super) fn remove_server(
        &self,
        txn: &mut RwTxn<'_>,
        server: &ServerId,
        most: usize,
    ) -> Result<bool> {
        self.remove_reusable(txn, *server.as_bytes())?;
        let mut keys = Vec::new();
        for entry in self.single.prefix_iter(txn, server.as_bytes())?.take(most) {
            keys.push(entry?.0.to_vec());
        }
        for key in &keys {
            self.remove_single(txn, key)?;
        }
        Ok(keys.len() < most)
    }

    /// Removes everything.
    pub(super) fn clear(&self, txn: &mut RwTxn<'_>) -> Result<()> {
        for table in [self.single, self.reusable, self.expiry] {
            table.clear(txn)?;
        }
        Ok(())
    }

    /// How many bytes of the file the tables fill, in whole pages.
    pub(super) fn used(&self, txn: &RoTxn<'_>) -> Result<usize> {
        let mut used = 0;
        for table in [self.single, self.reusable, self.expiry] {
            let stat = table.stat(txn)?;
            let pages = stat.branch_pages + stat.leaf_pages + stat.overflow_pages;
            used += pages * stat.page_size as usize;
        }
        Ok(used)
    }

    fn remove_single(&self, txn: &mut RwTxn<'_>, key: &[u8]) -> Result<()> {
        if let Some(key) = SingleKey::decode(key) {
            let entry = IndexKey::Single(key).encode();
            self.expiry.delete(txn, entry.as_ref())?;
        }
        self.single.delete(txn, key)?;
        Ok(())
    }

    fn remove_reusable(&self, txn: &mut RwTxn<'_>, server: [u8; 32]) -> Result<()> {
        let Some(value) = self.reusable.get(txn, &server)? else {
            return Ok(());
        };
        if let Some((expires, _)) = decode_reusable(value) {
            let entry = IndexKey::Reusable { server, expires }.encode();
            self.expiry.delete(txn, entry.as_ref())?;
        }
        self.reusable.delete(txn, &server)?;
        Ok(())
    }

    /// Puts what cannot be read into each table, where a look for this server finds it.
    #[cfg(test)]
    pub(super) fn put_garbage(&self, txn: &mut RwTxn<'_>, server: &[u8; 32]) -> Result<()> {
        let longer = [&server[..], &[0xff; 7]].concat();
        self.single.put(txn, &longer, b"garbage")?;
        self.single.put(txn, server, b"garbage")?;
        self.reusable.put(txn, server, b"short")?;
        self.expiry.put(txn, b"a", b"")?;
        self.expiry.put(txn, &[0xff; 60], b"")
    }
}
