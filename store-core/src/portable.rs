//! Sessions that can be encoded for another process.

use zeroize::Zeroizing;

use crate::{Storable, Usage};

/// A session that can be encoded, and decoded in another process.
///
/// The encoding is not protected: seal it before storing it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot leave the memory of its process, so its store cannot be shared",
    note = "sessions of rustls 0.23 are opaque: use the OpenSSL backend, or the preview of the next rustls (feature `rustls-preview`)"
)]
pub trait Portable: Storable + Send + Sync + Sized + 'static {
    /// Identifies the backend and the version of its encoding. Records with another number are not
    /// decoded: change it when old records must not be decoded any more.
    const FORMAT: u32;

    /// Encodes the session. `None`, which is always allowed, keeps the session in memory.
    fn encode(&self) -> Option<Encoded>;

    /// Decodes what [`encode`](Self::encode) returned, and gives the session with its weight: the
    /// bytes of memory that it occupies. `None`, a miss, for any other input.
    fn decode(encoded: &Encoded, usage: Usage) -> Option<(Self, usize)>;
}

/// A session in the encoding of its backend.
#[derive(Clone, PartialEq, Eq)]
#[expect(
    missing_debug_implementations,
    reason = "a session is a secret and is never shown"
)]
pub struct Encoded {
    /// What the backend needs to decide which connections may use the session, such as how its peer
    /// was verified.
    pub facts: Vec<u8>,
    /// The session in the TLS library's own encoding. Wiped when dropped.
    pub session: Zeroizing<Vec<u8>>,
}
