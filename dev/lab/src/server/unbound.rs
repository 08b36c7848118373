//! The functions of OpenSSL that have no binding: how long a server's sessions live, which keys
//! seal its tickets, and what becomes of them.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_long, c_uchar, c_void};
use std::ptr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslContextBuilder, SslRef, SslSessionRef};
use openssl_sys::{SSL, SSL_CTX, SSL_CTX_ctrl, SSL_SESSION};

use super::TicketKeys;
use super::watch::{DeclineReason, Watch};

const SET_TICKET_KEYS: c_int = 59; // SSL_CTRL_SET_TLSEXT_TICKET_KEYS

// SSL_TICKET_STATUS: how it went to open a ticket.
const STATUS_NO_DECRYPT: c_int = 4;
const STATUS_SUCCESS: c_int = 5;
const STATUS_SUCCESS_RENEW: c_int = 6;
// SSL_TICKET_RETURN: what is to be done with it.
const ABORT: c_int = 0;
const IGNORE_RENEW: c_int = 2;
const USE: c_int = 3;
const USE_RENEW: c_int = 4;
const STATUS_EMPTY: c_int = 3;

type MakesTicket = extern "C" fn(*mut SSL, *mut c_void) -> c_int;
type OpensTicket =
    extern "C" fn(*mut SSL, *mut SSL_SESSION, *const c_uchar, usize, c_int, *mut c_void) -> c_int;

unsafe extern "C" {
    fn SSL_CTX_set_timeout(ctx: *mut SSL_CTX, seconds: c_long) -> c_long;
    fn SSL_CTX_set_session_ticket_cb(
        ctx: *mut SSL_CTX,
        makes: Option<MakesTicket>,
        opens: Option<OpensTicket>,
        arg: *mut c_void,
    ) -> c_int;
}

/// Where a connection that is watched has its [`Watch`].
static WATCH: LazyLock<Index<Ssl, Arc<Watch>>> =
    LazyLock::new(|| Ssl::new_ex_index().expect("memory for an index"));

/// Sets the lifetime that the sessions of this context get and that their tickets announce.
pub(super) fn set_lifetime(context: &mut SslContextBuilder, lifetime: Duration) {
    let seconds = c_long::try_from(lifetime.as_secs()).unwrap_or(c_long::MAX);
    // SAFETY: the pointer comes from a live context that nobody else holds yet; the function
    // stores a number in it and keeps nothing.
    unsafe { SSL_CTX_set_timeout(context.as_ptr(), seconds) };
}

/// Sets the keys that seal the tickets of this context.
pub(super) fn set_ticket_keys(
    context: &mut SslContextBuilder,
    keys: &TicketKeys,
) -> Result<(), ErrorStack> {
    let keys = keys.openssl();
    let length = c_long::try_from(keys.len()).expect("80 bytes");
    let keys = keys.as_ptr().cast_mut().cast();
    // SAFETY: the pointer comes from a live context that nobody else holds yet; the control copies
    // `length` bytes out of `keys`, writes none there, and refuses another length than its own.
    let set = unsafe { SSL_CTX_ctrl(context.as_ptr(), SET_TICKET_KEYS, length, keys) };
    if set == 1 {
        Ok(())
    } else {
        Err(ErrorStack::get())
    }
}

/// Lets the connections of this context that are watched know of their tickets.
pub(super) fn allow_watching(context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    LazyLock::force(&WATCH);
    // SAFETY: the pointer comes from a live context that nobody else holds yet; the callbacks have
    // the types that it expects, live forever and get a null argument that they do not use.
    let set = unsafe {
        SSL_CTX_set_session_ticket_cb(
            context.as_ptr(),
            Some(ticket_is_made),
            Some(ticket_is_opened),
            ptr::null_mut(),
        )
    };
    if set == 1 {
        Ok(())
    } else {
        Err(ErrorStack::get())
    }
}

/// Watches a connection of a context that allows it.
pub(super) fn watch(ssl: &mut SslRef, watch: Arc<Watch>) {
    ssl.set_ex_data(*WATCH, watch);
}

extern "C" fn ticket_is_made(ssl: *mut SSL, _: *mut c_void) -> c_int {
    // SAFETY: OpenSSL passes the live connection that it works on, and does not touch it before
    // this returns.
    let ssl = unsafe { SslRef::from_ptr(ssl) };
    if let Some(watch) = ssl.ex_data(*WATCH) {
        watch.made();
    }
    1
}

extern "C" fn ticket_is_opened(
    ssl: *mut SSL,
    session: *mut SSL_SESSION,
    _key_name: *const c_uchar,
    _key_name_length: usize,
    status: c_int,
    _: *mut c_void,
) -> c_int {
    // What OpenSSL does by itself: an empty ticket asks for one, and one that cannot be opened is
    // replaced.
    let (usual, opened) = match status {
        STATUS_EMPTY => return IGNORE_RENEW,
        STATUS_NO_DECRYPT => (IGNORE_RENEW, false),
        STATUS_SUCCESS => (USE, true),
        STATUS_SUCCESS_RENEW => (USE_RENEW, true),
        _ => return ABORT,
    };
    // SAFETY: as above.
    let ssl = unsafe { SslRef::from_ptr(ssl) };
    let Some(watch) = ssl.ex_data(*WATCH) else {
        return usual;
    };
    if watch.declines() {
        watch.opened(Some(DeclineReason::Requested));
        return IGNORE_RENEW;
    }
    watch.opened(if !opened {
        Some(DeclineReason::UnknownKey)
    } else if session.is_null() {
        None
    } else {
        // SAFETY: a session that is not null is live, and is OpenSSL's until this returns.
        is_too_old(unsafe { SslSessionRef::from_ptr(session) }).then_some(DeclineReason::Expired)
    });
    usual
}

/// Whether OpenSSL, which looks at the age later, may find the session too old. Its clock is finer:
/// in the last second this says yes, and the session is resumed.
fn is_too_old(session: &SslSessionRef) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(i64::MAX, |now| {
        i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
    });
    now >= session.time().saturating_add(session.timeout())
}
