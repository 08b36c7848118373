//! `SSL_set_session`, the one call here that has no safe wrapper.
#![allow(
    unsafe_code,
    reason = "the openssl crate has no safe way to offer a session"
)]

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslSessionRef};

/// Offers `session` in the handshake that `ssl` is about to make. Every store here keeps sessions
/// for connections of one context, or decodes them from bytes.
pub(super) fn offer(ssl: &mut Ssl, session: &SslSessionRef) -> Result<(), ErrorStack> {
    // SAFETY: the crate's condition is that the session belongs to the context of `ssl`, because a
    // session in the cache of one context must not be changed through another. The sessions
    // in the stores of this module come from a connection of their one context, or are in no
    // context's cache. OpenSSL takes a reference of its own.
    unsafe { ssl.set_session(session) }
}
