//! The one function of OpenSSL that has no binding: how long a server's sessions live.
#![allow(unsafe_code)]

use std::ffi::c_long;
use std::time::Duration;

use openssl::ssl::SslContextBuilder;
use openssl_sys::SSL_CTX;

unsafe extern "C" {
    fn SSL_CTX_set_timeout(ctx: *mut SSL_CTX, seconds: c_long) -> c_long;
}

/// Sets the lifetime that the sessions of this context get and that their tickets announce.
pub(super) fn set(context: &mut SslContextBuilder, lifetime: Duration) {
    let seconds = c_long::try_from(lifetime.as_secs()).unwrap_or(c_long::MAX);
    // SAFETY: the pointer comes from a live context that nobody else holds yet; the function
    // stores a number in it and keeps nothing.
    unsafe { SSL_CTX_set_timeout(context.as_ptr(), seconds) };
}
