//! What a place beyond the process must be able to do.

use store_core::{Timestamp, Usage};
use thiserror::Error;

use crate::ServerId;

/// A place beyond this process that keeps sealed records: a file that processes share, or a server
/// that machines share.
///
/// # Contract
/// - **Once.** A single-use record that [`take`](Self::take) hands out is gone, for every process
///   and machine, before `take` returns, and never comes back: not after a crash of the process,
///   of the place, or of the machine. Where that cannot be known, records are lost rather than kept.
/// - **Bounded.** A place keeps so many records a server and so many bytes, whatever it is given.
///   When it is full, what expires first goes; it is no error.
/// - **Blind.** A place sees sealed bytes, keyed hashes and expiries. It decides over nothing else.
/// - **May be slow.** A tier belongs to one thread, which waits for it. It gives up by itself on
///   what takes long, if it can.
///
/// No method panics. Every failure is a miss to the connections.
pub trait Tier: Send + 'static {
    /// Keeps these records, in one go. A reusable record replaces the one of its server.
    fn put(&mut self, records: &[Sealed], now: Timestamp) -> Result<(), TierError>;

    /// Takes up to `most` single-use records of a server, the one that lives longest first, and a
    /// copy of its reusable one, in one go.
    fn take(&mut self, server: &ServerId, most: usize, now: Timestamp) -> Result<Taken, TierError>;

    /// Removes all records of a server.
    fn remove(&mut self, server: &ServerId) -> Result<(), TierError>;

    /// Removes all records.
    fn clear(&mut self) -> Result<(), TierError>;

    /// Removes some expired records, in one short step, and says whether there may be more. A place
    /// that expires by itself has nothing to do.
    fn sweep(&mut self, now: Timestamp) -> Result<bool, TierError> {
        let _ = now;
        Ok(false)
    }

    /// Takes up to `most` single-use records and copies of reusable ones, whatever their server,
    /// those that live longest first: what a process loads that starts. A place for many machines
    /// gives none, for a process that starts should not take what the others use.
    fn load(&mut self, most: usize, now: Timestamp) -> Result<Vec<Sealed>, TierError> {
        let _ = (most, now);
        Ok(Vec::new())
    }
}

/// A sealed record, with what a place must know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Whose it is.
    pub server: ServerId,
    /// Whether it may be taken once or copied often.
    pub usage: Usage,
    /// From when on it is worth nothing.
    pub expires: Timestamp,
    /// The record as [`KeyRing::seal`](crate::KeyRing::seal) made it.
    pub bytes: Vec<u8>,
}

/// What was found of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Single-use records, which are gone from the place.
    pub single_use: Vec<Vec<u8>>,
    /// A copy of the reusable record.
    pub reusable: Option<Vec<u8>>,
}

/// A place did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TierError {
    /// It is certain that nothing was changed: what was to be put can be put again.
    #[error("{0}")]
    NotApplied(String),
    /// It is not known how much was done: a single-use record that was to be put may be there, so
    /// nobody else may use it.
    #[error("{0}")]
    MaybeApplied(String),
}
