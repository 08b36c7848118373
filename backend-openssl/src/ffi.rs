//! What the `openssl` crate does not bind, and nothing else: every `unsafe` of this crate.

use std::ffi::{CStr, c_char, c_int, c_long, c_uchar, c_ulong, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::error::ErrorStack;
use openssl::ssl::{SslContextBuilder, SslRef, SslSession, SslSessionRef};
use openssl_sys::{SSL, SSL_CTX, SSL_SESSION, X509_VERIFY_PARAM};

const SSL_CB_HANDSHAKE_START: c_int = 0x10;
const SSL_CB_HANDSHAKE_DONE: c_int = 0x20;
const SSL_CTRL_GET_NEGOTIATED_GROUP: c_int = 134;
const TLSEXT_NID_UNKNOWN: c_long = 0x0100_0000;

type InfoCallback = unsafe extern "C" fn(*const SSL, c_int, c_int);
type NewSessionCallback = unsafe extern "C" fn(*mut SSL, *mut SSL_SESSION) -> c_int;

unsafe extern "C" {
    fn SSL_SESSION_dup(session: *const SSL_SESSION) -> *mut SSL_SESSION;
    fn SSL_SESSION_get_ticket_lifetime_hint(session: *const SSL_SESSION) -> c_ulong;
    fn SSL_SESSION_get0_ticket(
        session: *const SSL_SESSION,
        ticket: *mut *const c_uchar,
        len: *mut usize,
    );
    fn SSL_CTX_set_info_callback(ctx: *mut SSL_CTX, callback: Option<InfoCallback>);
    fn SSL_CTX_get_info_callback(ctx: *mut SSL_CTX) -> Option<InfoCallback>;
    fn SSL_CTX_sess_get_new_cb(ctx: *mut SSL_CTX) -> Option<NewSessionCallback>;
    fn SSL_get0_param(ssl: *const SSL) -> *mut X509_VERIFY_PARAM;
    fn X509_VERIFY_PARAM_get0_host(param: *mut X509_VERIFY_PARAM, index: c_int) -> *mut c_char;
    fn X509_VERIFY_PARAM_get1_ip_asc(param: *mut X509_VERIFY_PARAM) -> *mut c_char;
}

/// A private copy of a session: its own object, linked to no context, sharing only immutable,
/// reference-counted parts such as certificates.
///
/// Corresponds to `SSL_SESSION_dup`.
pub(crate) fn duplicate(session: &SslSessionRef) -> Option<SslSession> {
    // SAFETY: the source is valid for the call and only read; every session this crate duplicates
    // is either owned by the store, where nothing changes it, or handed over by the callback of
    // the thread that runs this. The result is null or a new reference that we own.
    unsafe {
        let copy = SSL_SESSION_dup(session.as_ptr());
        if copy.is_null() {
            // The error queue is per thread: do not leave our miss there for the application.
            drop(ErrorStack::get());
            return None;
        }
        Some(SslSession::from_ptr(copy))
    }
}

/// The server's word on the lifetime of a session's ticket in seconds; 0 if it gave none.
///
/// Corresponds to `SSL_SESSION_get_ticket_lifetime_hint`. (`SslSession::timeout` is the
/// *context's* timeout.)
pub(crate) fn ticket_lifetime(session: &SslSessionRef) -> u64 {
    // SAFETY: the session is valid for the call and only read.
    unsafe { SSL_SESSION_get_ticket_lifetime_hint(session.as_ptr()) }
}

/// Bytes of a session's ticket; 0 if it has none.
///
/// Corresponds to `SSL_SESSION_get0_ticket`.
pub(crate) fn ticket_len(session: &SslSessionRef) -> usize {
    let mut ticket = ptr::null();
    let mut len = 0;
    // SAFETY: the session is valid for the call; both out-pointers point to live variables. The
    // ticket itself is not looked at.
    unsafe { SSL_SESSION_get0_ticket(session.as_ptr(), &raw mut ticket, &raw mut len) };
    len
}

/// Offers `session` in the handshake that `ssl` is about to make, and says whether OpenSSL took
/// it.
///
/// Corresponds to `SSL_set_session`, which takes a reference of its own.
pub(crate) fn offer(ssl: &mut SslRef, session: &SslSessionRef) -> bool {
    // SAFETY: the crate's condition is that the session belongs to the context of `ssl`, because
    // a session in the cache of one context must not be changed through another. Sessions of this
    // crate are duplicates: they are in no context's cache, and this one is `ssl`'s alone.
    unsafe { ssl.set_session(session).is_ok() }
}

/// The name or the IP address that the peer of `ssl` must prove, if one is demanded.
///
/// Corresponds to `X509_VERIFY_PARAM_get0_host` and `X509_VERIFY_PARAM_get1_ip_asc`.
pub(crate) fn demanded_name(ssl: &SslRef) -> Option<String> {
    // SAFETY: SSL_get0_param never returns null and the result lives as long as `ssl`. The host
    // is owned by it and copied here; the address is ours and freed here.
    unsafe {
        let param = SSL_get0_param(ssl.as_ptr());
        let host = X509_VERIFY_PARAM_get0_host(param, 0);
        if !host.is_null() {
            return Some(CStr::from_ptr(host).to_string_lossy().into_owned());
        }
        let address = X509_VERIFY_PARAM_get1_ip_asc(param);
        if address.is_null() {
            return None;
        }
        let text = CStr::from_ptr(address).to_string_lossy().into_owned();
        openssl_sys::CRYPTO_free(address.cast::<c_void>(), c"".as_ptr(), 0);
        Some(text)
    }
}

/// The key-exchange group of the connection, by its number in the TLS registry. `None` before the
/// handshake and where no group was used (a TLS 1.2 resumption).
///
/// Corresponds to `SSL_get_negotiated_group`.
pub fn negotiated_group(ssl: &SslRef) -> Option<u16> {
    let get = SSL_CTRL_GET_NEGOTIATED_GROUP;
    // SAFETY: this control only reads, and takes no argument.
    let group = unsafe { openssl_sys::SSL_ctrl(ssl.as_ptr(), get, 0, ptr::null_mut()) };
    // OpenSSL answers with its own number for the groups it has one for.
    match group {
        415 => Some(23),
        715 => Some(24),
        716 => Some(25),
        1034 => Some(29),
        1035 => Some(30),
        unknown if unknown & TLSEXT_NID_UNKNOWN != 0 => {
            u16::try_from(unknown & !TLSEXT_NID_UNKNOWN).ok()
        }
        _ => None,
    }
}

/// Whether a `new_session` callback is already set.
///
/// Corresponds to `SSL_CTX_sess_get_new_cb`.
pub(crate) fn has_new_session_callback(builder: &SslContextBuilder) -> bool {
    // SAFETY: the context is valid for the call and only read.
    unsafe { SSL_CTX_sess_get_new_cb(builder.as_ptr()).is_some() }
}

/// Whether an info callback is already set.
///
/// Corresponds to `SSL_CTX_get_info_callback`.
pub(crate) fn has_info_callback(builder: &SslContextBuilder) -> bool {
    // SAFETY: the context is valid for the call and only read.
    unsafe { SSL_CTX_get_info_callback(builder.as_ptr()).is_some() }
}

/// What wants to know of the course of handshakes.
pub(crate) trait Handshakes {
    /// A handshake begins.
    fn started(ssl: &SslRef);
    /// A handshake has succeeded.
    fn done(ssl: &SslRef);
}

/// Tells `H` of every handshake of the context.
///
/// Corresponds to `SSL_CTX_set_info_callback`.
pub(crate) fn observe_handshakes<H: Handshakes>(builder: &mut SslContextBuilder) {
    // SAFETY: the callback is a function that lives for ever and keeps no state.
    unsafe { SSL_CTX_set_info_callback(builder.as_ptr(), Some(info_callback::<H>)) };
}

unsafe extern "C" fn info_callback<H: Handshakes>(ssl: *const SSL, event: c_int, _: c_int) {
    let observe = match event {
        SSL_CB_HANDSHAKE_START => H::started,
        SSL_CB_HANDSHAKE_DONE => H::done,
        _ => return,
    };
    // A panic must not reach C: what it would have stored or counted is lost, which is a miss.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: OpenSSL calls back with the live object whose handshake it is, on the thread
        // that drives it; the reference does not outlive the call and is only read through.
        observe(unsafe { SslRef::from_ptr(ssl.cast_mut()) });
    }));
}
