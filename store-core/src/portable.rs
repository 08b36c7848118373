//! Sessions that can leave the memory of their process.

use zeroize::Zeroizing;

use crate::{Storable, Usage};

/// A session that can be written down, and read again in another process.
///
/// What is written is not yet protected: whoever stores it seals it first.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot leave the memory of its process, so its store cannot be shared",
    note = "sessions of rustls 0.23 are opaque: use the OpenSSL backend, or the preview of the next rustls (feature `rustls-preview`)"
)]
pub trait Portable: Storable + Send + Sync + Sized + 'static {
    /// The backend, and the format that it writes: a record of another number is not read. To be
    /// changed whenever what was written before must not be read any more.
    const FORMAT: u32;

    /// Writes the session down. `None` means that it stays in memory, which is always allowed.
    fn encode(&self) -> Option<Encoded>;

    /// Reads what [`encode`](Self::encode) wrote, with the bytes of memory that the session
    /// occupies. `None` is a miss, for anything that is not exactly what was written.
    fn decode(encoded: &Encoded, usage: Usage) -> Option<(Self, usize)>;
}

/// A session written down by its backend.
#[derive(Clone, PartialEq, Eq)]
#[expect(
    missing_debug_implementations,
    reason = "a session is a secret and is never shown"
)]
pub struct Encoded {
    /// What the backend must know to decide who may use the session, such as how its peer was
    /// verified.
    pub facts: Vec<u8>,
    /// The session, in the library's own encoding. Wiped when dropped.
    pub session: Zeroizing<Vec<u8>>,
}
