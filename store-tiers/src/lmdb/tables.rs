//! The three tables of a file, and the operations on them within one transaction.
//!
//! - `single`: single-use records by server, expiry and age
//! - `reusable`: one reusable record per server
//! - `expiry`: an index of all records by expiry, without values
//!
//! Keys and values that do not decode are removed when they are found.

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Result, RoTxn, RwTxn};
use store_core::{Timestamp, Usage};

use super::env::Environment;
use super::keys::{IndexKey, SingleKey, Suffix, decode_reusable, encode_reusable};
use crate::{Sealed, ServerId};

type Table = Database<'static, Bytes, Bytes>;

const SINGLE: &str = "single";
const REUSABLE: &str = "reusable";
const EXPIRY: &str = "expiry";

/// The open tables of an environment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables {
    single: Table,
    reusable: Table,
    expiry: Table,
}

impl Tables {
    /// Creates the tables in a new file.
    pub(super) fn create(env: &Environment) -> Result<()> {
        env.create_databases_and_commit(env.write_txn()?, |opener, txn| {
            let mut create = |name| opener.create_database::<Bytes, Bytes>(txn, Some(name));
            let tables = (create(SINGLE)?, create(REUSABLE)?, create(EXPIRY)?);
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(tables))
        })?;
        Ok(())
    }

    /// Opens the tables in a read transaction, which waits for no other process. A file without
    /// them is damaged.
    pub(super) fn open(env: &Environment) -> Result<Self> {
        let found = env.open_databases_and_commit(env.read_txn()?, |opener, txn| {
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

    /// Puts a record, the `index`th of its transaction. A reusable one replaces its server's.
    pub(super) fn put(&self, txn: &mut RwTxn<'_>, record: &Sealed, index: u32) -> Result<()> {
        let server = *record.server.as_bytes();
        let expires = record.expires;
        let index_key = match record.usage {
            Usage::SingleUse => {
                let suffix = Suffix::new(txn.id(), index);
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
        self.expiry.put(txn, index_key.encode().as_ref(), &[])
    }

    /// Removes the single-use records of a server that expire first, so that it has at most `most`,
    /// with at most `bytes`.
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

    /// Returns whether a server has a single-use record, and a copy of its reusable record.
    pub(super) fn peek(
        &self,
        txn: &RoTxn<'_>,
        server: &ServerId,
        now: Timestamp,
    ) -> Result<(bool, Option<Vec<u8>>)> {
        let last = self.last_single(txn, server)?;
        // A garbage key counts: `take_single` removes it and goes on to the next record.
        let single =
            last.is_some_and(|(key, _)| SingleKey::decode(key).is_none_or(|key| key.expires > now));
        let reusable = self.reusable.get(txn, server.as_bytes())?;
        let reusable = reusable
            .and_then(decode_reusable)
            .filter(|(expires, _)| *expires > now)
            .map(|(_, record)| record.to_vec());
        Ok((single, reusable))
    }

    /// Removes and returns the single-use record of a server with the latest expiry.
    pub(super) fn take_single(
        &self,
        txn: &mut RwTxn<'_>,
        server: &ServerId,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>> {
        while let Some((key, record)) = self.last_single(txn, server)? {
            let key = key.to_vec();
            let record = match SingleKey::decode(&key) {
                // The earlier records have expired, too, and are left to the sweep.
                Some(key) if key.expires <= now => return Ok(None),
                Some(_) => Some(record.to_vec()),
                None => None,
            };
            self.remove_single(txn, &key)?;
            if record.is_some() {
                return Ok(record);
            }
        }
        Ok(None)
    }

    fn last_single<'t>(
        &self,
        txn: &'t RoTxn<'_>,
        server: &ServerId,
    ) -> Result<Option<(&'t [u8], &'t [u8])>> {
        let bound = SingleKey::upper_bound(server);
        let last = self.single.get_lower_than_or_equal_to(txn, &bound)?;
        Ok(last.filter(|(key, _)| key.starts_with(server.as_bytes())))
    }

    /// The first key of the expiry index, encoded.
    pub(super) fn first(&self, txn: &RoTxn<'_>) -> Result<Option<Vec<u8>>> {
        Ok(self.expiry.first(txn)?.map(|(key, _)| key.to_vec()))
    }

    /// The key of the expiry index before `next`, or the last one; encoded.
    pub(super) fn before(&self, txn: &RoTxn<'_>, next: Option<&[u8]>) -> Result<Option<Vec<u8>>> {
        let key = match next {
            Some(next) => self.expiry.get_lower_than(txn, next)?,
            None => self.expiry.last(txn)?,
        };
        Ok(key.map(|(key, _)| key.to_vec()))
    }

    /// The record of a key of the expiry index.
    pub(super) fn record(&self, txn: &RoTxn<'_>, index: &IndexKey) -> Result<Option<Sealed>> {
        let (server, usage, bytes) = match index {
            IndexKey::Single(key) => {
                let record = self.single.get(txn, &key.encode())?;
                (key.server, Usage::SingleUse, record)
            }
            IndexKey::Reusable { server, expires } => {
                let value = self.reusable.get(txn, server)?.and_then(decode_reusable);
                let record = value.filter(|(stored, _)| stored == expires);
                (*server, Usage::Reusable, record.map(|(_, record)| record))
            }
        };
        Ok(bytes.map(|bytes| Sealed {
            server: ServerId::from_bytes(server),
            usage,
            expires: index.expires(),
            bytes: bytes.to_vec(),
        }))
    }

    /// Removes a key of the expiry index, and its record if the key decodes.
    pub(super) fn remove(&self, txn: &mut RwTxn<'_>, index: &[u8]) -> Result<()> {
        match IndexKey::decode(index) {
            Some(IndexKey::Single(key)) => {
                self.single.delete(txn, &key.encode())?;
            }
            Some(IndexKey::Reusable { server, expires }) => {
                let value = self.reusable.get(txn, &server)?;
                // A record with another expiry has an index key of its own.
                let is_newer = value
                    .and_then(decode_reusable)
                    .is_some_and(|(stored, _)| stored != expires);
                if !is_newer {
                    self.reusable.delete(txn, &server)?;
                }
            }
            None => {}
        }
        self.expiry.delete(txn, index)?;
        Ok(())
    }

    /// Removes the reusable record of a server and up to `most` single-use ones. Returns whether
    /// that was all.
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

    /// Removes all records.
    pub(super) fn clear(&self, txn: &mut RwTxn<'_>) -> Result<()> {
        for table in [self.single, self.reusable, self.expiry] {
            table.clear(txn)?;
        }
        Ok(())
    }

    /// The bytes of the pages that the tables use.
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
            let index = IndexKey::Single(key).encode();
            self.expiry.delete(txn, index.as_ref())?;
        }
        self.single.delete(txn, key)?;
        Ok(())
    }

    fn remove_reusable(&self, txn: &mut RwTxn<'_>, server: [u8; 32]) -> Result<()> {
        let Some(value) = self.reusable.get(txn, &server)? else {
            return Ok(());
        };
        if let Some((expires, _)) = decode_reusable(value) {
            let index = IndexKey::Reusable { server, expires }.encode();
            self.expiry.delete(txn, index.as_ref())?;
        }
        self.reusable.delete(txn, &server)?;
        Ok(())
    }

    /// Puts garbage into each table, in the key range of this server.
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
