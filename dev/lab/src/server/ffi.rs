//! Functions of OpenSSL that the `openssl` crate does not have: the lifetime of sessions, ticket
//! keys, and the ticket callbacks.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_long, c_uchar, c_ulong, c_void};
use std::ptr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslContextBuilder, SslRef, SslSessionRef};
use openssl_sys::{SSL, SSL_CTX, SSL_CTX_ctrl, SSL_SESSION};

use super::ticket_keys::TicketKeys;
use super::ticket_observer::{DeclineReason, TicketObserver};

const SET_TICKET_KEYS: c_int = 59; // SSL_CTRL_SET_TLSEXT_TICKET_KEYS

// SSL_TICKET_STATUS: the result of decrypting a ticket.
const STATUS_EMPTY: c_int = 3;
const STATUS_NO_DECRYPT: c_int = 4;
const STATUS_SUCCESS: c_int = 5;
const STATUS_SUCCESS_RENEW: c_int = 6;
// SSL_TICKET_RETURN: what OpenSSL has to do with it.
const ABORT: c_int = 0;
const IGNORE_RENEW: c_int = 2;
const USE: c_int = 3;
const USE_RENEW: c_int = 4;

type GenerateTicket = extern "C" fn(*mut SSL, *mut c_void) -> c_int;
type DecryptTicket =
    extern "C" fn(*mut SSL, *mut SSL_SESSION, *const c_uchar, usize, c_int, *mut c_void) -> c_int;

unsafe extern "C" {
    fn SSL_SESSION_get_ticket_lifetime_hint(session: *const SSL_SESSION) -> c_ulong;
    fn SSL_SESSION_get0_ticket(
        session: *const SSL_SESSION,
        ticket: *mut *const c_uchar,
        len: *mut usize,
    );
    fn SSL_CTX_set_timeout(ctx: *mut SSL_CTX, seconds: c_long) -> c_long;
    fn SSL_CTX_set_session_ticket_cb(
        ctx: *mut SSL_CTX,
        generate: Option<GenerateTicket>,
        decrypt: Option<DecryptTicket>,
        arg: *mut c_void,
    ) -> c_int;
}

/// The `ex_data` index of an observed connection's [`TicketObserver`].
static OBSERVER: LazyLock<Index<Ssl, Arc<TicketObserver>>> =
    LazyLock::new(|| Ssl::new_ex_index().expect("memory for an index"));

/// The lifetime that a server announced for the ticket of a session; `None` if it announced none.
///
/// Corresponds to `SSL_SESSION_get_ticket_lifetime_hint`. (`SslSession::timeout` is the context's.)
#[allow(clippy::useless_conversion, reason = "a C long has 32 bits elsewhere")]
pub fn ticket_lifetime_hint(session: &SslSessionRef) -> Option<Duration> {
    // SAFETY: the session is valid for the call and only read.
    let seconds: u64 = unsafe { SSL_SESSION_get_ticket_lifetime_hint(session.as_ptr()) }.into();
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Bytes of a session's ticket; 0 if it has none.
///
/// Corresponds to `SSL_SESSION_get0_ticket`.
pub fn ticket_bytes(session: &SslSessionRef) -> usize {
    let (mut ticket, mut len) = (ptr::null(), 0);
    // SAFETY: the session is valid for the call, and both out-pointers point to live variables. The
    // ticket itself is not dereferenced.
    unsafe { SSL_SESSION_get0_ticket(session.as_ptr(), &raw mut ticket, &raw mut len) };
    len
}

/// Sets the lifetime of a context's sessions, which their tickets announce.
///
/// Corresponds to `SSL_CTX_set_timeout`.
pub(super) fn set_lifetime(context: &mut SslContextBuilder, lifetime: Duration) {
    let seconds = c_long::try_from(lifetime.as_secs()).unwrap_or(c_long::MAX);
    // SAFETY: the pointer comes from a live context that nobody else holds yet; the function
    // stores a number in it and keeps nothing.
    unsafe { SSL_CTX_set_timeout(context.as_ptr(), seconds) };
}

/// Sets the keys that encrypt a context's tickets.
///
/// Corresponds to `SSL_CTX_set_tlsext_ticket_keys`.
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

/// Sets the ticket callbacks of a context, so that its connections can be observed. With
/// `renews_nothing`, a ticket that is accepted is not replaced by another.
///
/// Corresponds to `SSL_CTX_set_session_ticket_cb`.
pub(super) fn set_ticket_callbacks(
    context: &mut SslContextBuilder,
    renews_nothing: bool,
) -> Result<(), ErrorStack> {
    LazyLock::force(&OBSERVER);
    // SAFETY: the pointer comes from a live context that nobody else holds yet; the callbacks have
    // the types that it expects, live forever and do not dereference their argument, which is a flag.
    let set = unsafe {
        SSL_CTX_set_session_ticket_cb(
            context.as_ptr(),
            Some(generate_ticket),
            Some(decrypt_ticket),
            ptr::without_provenance_mut(usize::from(renews_nothing)),
        )
    };
    if set == 1 {
        Ok(())
    } else {
        Err(ErrorStack::get())
    }
}

/// Observes the tickets of a connection whose context has the callbacks.
pub(super) fn observe(ssl: &mut SslRef, observer: Arc<TicketObserver>) {
    ssl.set_ex_data(*OBSERVER, observer);
}

extern "C" fn generate_ticket(ssl: *mut SSL, _: *mut c_void) -> c_int {
    // SAFETY: OpenSSL passes the live connection that it works on, and does not touch it before
    // this returns.
    let ssl = unsafe { SslRef::from_ptr(ssl) };
    if let Some(observer) = ssl.ex_data(*OBSERVER) {
        observer.made();
    }
    1
}

extern "C" fn decrypt_ticket(
    ssl: *mut SSL,
    session: *mut SSL_SESSION,
    _key_name: *const c_uchar,
    _key_name_length: usize,
    status: c_int,
    renews_nothing: *mut c_void,
) -> c_int {
    // What OpenSSL does without a callback: it renews a ticket that is empty or cannot be
    // decrypted.
    let (default, decrypted) = match status {
        STATUS_EMPTY => return IGNORE_RENEW,
        STATUS_NO_DECRYPT => (IGNORE_RENEW, false),
        STATUS_SUCCESS_RENEW if renews_nothing.is_null() => (USE_RENEW, true),
        STATUS_SUCCESS | STATUS_SUCCESS_RENEW => (USE, true),
        _ => return ABORT,
    };
    // SAFETY: as above.
    let ssl = unsafe { SslRef::from_ptr(ssl) };
    let Some(observer) = ssl.ex_data(*OBSERVER) else {
        return default;
    };
    if observer.must_decline() {
        observer.tried(Some(DeclineReason::Requested));
        return IGNORE_RENEW;
    }
    observer.tried(if !decrypted {
        Some(DeclineReason::UnknownKey)
    } else if session.is_null() {
        None
    } else {
        // SAFETY: a session that is not null is live, and is OpenSSL's until this returns.
        is_expired(unsafe { SslSessionRef::from_ptr(session) }).then_some(DeclineReason::Expired)
    });
    default
}

/// Whether the session is expired. OpenSSL checks that later and with a finer clock: in its last
/// second a session is expired by this function, and still resumed.
fn is_expired(session: &SslSessionRef) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(i64::MAX, |now| {
        i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
    });
    now >= session.time().saturating_add(session.timeout())
}
