//! The one call that has no safe wrapper.
#![allow(
    unsafe_code,
    reason = "the openssl crate has no safe way to offer a session"
)]

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslSessionRef};

/// Offers `session` in the handshake that `ssl` is about to make. Every store here keeps sessions
/// for connections of one context, or makes them anew from bytes.
pub(super) fn offer(ssl: &mut Ssl, session: &SslSessionRef) -> Result<(), ErrorStack> {
    // SAFETY: the crate's condition is that the session belongs to the context of `ssl`, because a
    // session in the cache of one context must not be changed through another. What the stores of
    // this module keep came from a connection of the one context that they have, or is in no
    // context's cache. OpenSSL takes a reference of its own.
    unsafe { ssl.set_session(session) }
}
