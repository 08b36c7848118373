//! The interface of a tier.

use store_core::{Timestamp, Usage};
use thiserror::Error;

use crate::ServerId;

/// A store of sealed records outside this process: a file that processes share, or a server that
/// machines share.
///
/// # Contract
/// - **Single use.** A single-use record that [`take`](Self::take) returns is removed, for every
///   process and machine, before `take` returns, and never comes back: not after a crash of the
///   process, the tier or the machine. Where the tier cannot know that, it discards records.
/// - **Bounded.** A tier limits its records per server and its bytes. When it is full it evicts the
///   records that expire first, and reports no error.
/// - **Opaque.** A tier sees sealed bytes, keyed hashes and expiries, and decides by nothing else.
/// - **Blocking.** A tier belongs to one thread, which blocks in each call. It applies timeouts
///   where it can.
///
/// No method panics. To connections, every failure is a miss.
pub trait Tier: Send + 'static {
    /// Stores these records in one operation. A reusable record replaces its server's previous one.
    fn put(&mut self, records: &[Sealed], now: Timestamp) -> Result<(), TierError>;

    /// Removes and returns up to `most` single-use records of a server, the latest expiry first,
    /// and returns a copy of its reusable record, in one operation.
    fn take(&mut self, server: &ServerId, most: usize, now: Timestamp) -> Result<Taken, TierError>;

    /// Removes all records of a server.
    fn remove(&mut self, server: &ServerId) -> Result<(), TierError>;

    /// Removes all records.
    fn clear(&mut self) -> Result<(), TierError>;

    /// Removes some expired records, in one short step, and returns whether there may be more. The
    /// default does nothing, for a tier that expires records by itself.
    fn sweep(&mut self, now: Timestamp) -> Result<bool, TierError> {
        let _ = now;
        Ok(false)
    }

    /// Removes and returns up to `most` single-use records of any server, and returns copies of
    /// reusable ones, the latest expiry first: for a process that starts. The default returns none:
    /// on a tier that many machines share, a process that starts must not take the others' records.
    fn load(&mut self, most: usize, now: Timestamp) -> Result<Vec<Sealed>, TierError> {
        let _ = (most, now);
        Ok(Vec::new())
    }
}

/// A sealed record, and the metadata that a tier reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The server that the session is for.
    pub server: ServerId,
    /// Whether a reader takes the record or copies it.
    pub usage: Usage,
    /// When it expires.
    pub expires: Timestamp,
    /// The record as [`KeyRing::seal`](crate::KeyRing::seal) returned it.
    pub bytes: Vec<u8>,
}

/// The records of one server that [`Tier::take`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Single-use records, removed from the tier.
    pub single_use: Vec<Vec<u8>>,
    /// A copy of the reusable record.
    pub reusable: Option<Vec<u8>>,
}

/// A call to a tier failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TierError {
    /// Nothing was changed: records of a failed put can be put again.
    #[error("{0}")]
    NotApplied(String),
    /// Some or all of the change may have been made. After a failed put, the caller must drop the
    /// single-use sessions: the tier may hold their records.
    #[error("{0}")]
    MaybeApplied(String),
}
