//! What the `openssl` crate does not bind, and nothing else: every `unsafe` of this crate.

use std::ffi::{CStr, c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::error::ErrorStack;
use openssl::ssl::{SslContextBuilder, SslRef, SslSession, SslSessionRef};
use openssl_sys::{SSL, SSL_CTX, SSL_SESSION, X509, X509_VERIFY_PARAM};

const SSL_CB_HANDSHAKE_START: c_int = 0x10;
const SSL_CB_HANDSHAKE_DONE: c_int = 0x20;
const SSL_CB_READ_ALERT: c_int = 0x4004;
const SSL3_AL_FATAL: c_int = 2;
const SSL_CB_CONNECT_EXIT: c_int = 0x1002;
const SSL_CTRL_GET_NEGOTIATED_GROUP: c_int = 134;
const SSL_EARLY_DATA_ACCEPTED: c_int = 2;
const TLSEXT_NID_UNKNOWN: c_long = 0x0100_0000;

type InfoCallback = unsafe extern "C" fn(*const SSL, c_int, c_int);
type NewSessionCallback = unsafe extern "C" fn(*mut SSL, *mut SSL_SESSION) -> c_int;

unsafe extern "C" {
    fn SSL_SESSION_dup(session: *const SSL_SESSION) -> *mut SSL_SESSION;
    fn SSL_SESSION_set_max_early_data(session: *mut SSL_SESSION, bytes: u32) -> c_int;
    fn SSL_SESSION_get_ticket_lifetime_hint(session: *const SSL_SESSION) -> c_ulong;
    fn SSL_SESSION_get0_ticket(
        session: *const SSL_SESSION,
        ticket: *mut *const c_uchar,
        len: *mut usize,
    );
    fn SSL_get_early_data_status(ssl: *const SSL) -> c_int;
    fn SSL_SESSION_get0_peer(session: *mut SSL_SESSION) -> *mut X509;
    fn SSL_CTX_set_info_callback(ctx: *mut SSL_CTX, callback: Option<InfoCallback>);
    fn SSL_CTX_get_info_callback(ctx: *mut SSL_CTX) -> Option<InfoCallback>;
    fn SSL_CTX_sess_get_new_cb(ctx: *mut SSL_CTX) -> Option<NewSessionCallback>;
    fn SSL_get0_param(ssl: *const SSL) -> *mut X509_VERIFY_PARAM;
    fn SSL_CTX_get0_param(ctx: *mut SSL_CTX) -> *mut X509_VERIFY_PARAM;
    fn X509_VERIFY_PARAM_get0_host(param: *mut X509_VERIFY_PARAM, index: c_int) -> *mut c_char;
    fn X509_VERIFY_PARAM_get0_email(param: *mut X509_VERIFY_PARAM) -> *mut c_char;
    fn X509_VERIFY_PARAM_get1_ip_asc(param: *mut X509_VERIFY_PARAM) -> *mut c_char;
    fn X509_VERIFY_PARAM_get_hostflags(param: *const X509_VERIFY_PARAM) -> c_uint;
    fn ERR_set_mark() -> c_int;
    fn ERR_pop_to_mark() -> c_int;
}

/// Calls OpenSSL and leaves its error queue as it was: the queue is per thread, and what is left
/// in it makes OpenSSL take the application's next empty read for a broken connection.
fn quietly<T>(call: impl FnOnce() -> T) -> T {
    // SAFETY: both only work on the calling thread's own queue. Without an error to put the mark
    // on, all that came since is popped, which is the same.
    unsafe { ERR_set_mark() };
    let result = call();
    // SAFETY: as above.
    unsafe { ERR_pop_to_mark() };
    result
}

/// Passes on what came of a call that fails only when memory is out. A mark in the error queue
/// costs as much as copying a session does, so that such a call has none: if it failed, the queue
/// is emptied.
fn done(good: bool) -> bool {
    if !good {
        drop(ErrorStack::get());
    }
    good
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
        done(!copy.is_null()).then(|| SslSession::from_ptr(copy))
    }
}

/// The server's word on the lifetime of a session's ticket in seconds; 0 if it gave none.
///
/// Corresponds to `SSL_SESSION_get_ticket_lifetime_hint`. (`SslSession::timeout` is the
/// *context's* timeout.)
#[allow(clippy::useless_conversion, reason = "a C long has 32 bits elsewhere")]
pub(crate) fn ticket_lifetime(session: &SslSessionRef) -> u64 {
    // SAFETY: the session is valid for the call and only read.
    unsafe { SSL_SESSION_get_ticket_lifetime_hint(session.as_ptr()) }.into()
}

/// Has a session that nobody else has carry no early data.
///
/// Corresponds to `SSL_SESSION_set_max_early_data`.
pub(crate) fn forbid_early_data(session: &mut SslSession) {
    // SAFETY: the session is valid for the call, and no other thread has it.
    done(unsafe { SSL_SESSION_set_max_early_data(session.as_ptr(), 0) } == 1);
}

/// Whether a session has a certificate of its peer.
///
/// Corresponds to `SSL_SESSION_get0_peer`.
pub(crate) fn has_peer(session: &SslSessionRef) -> bool {
    // SAFETY: the session is valid for the call and only read; the result is not looked at.
    !unsafe { SSL_SESSION_get0_peer(session.as_ptr()) }.is_null()
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

/// Takes back whatever session `ssl` was to offer.
///
/// Corresponds to `SSL_set_session` with no session.
pub(crate) fn withdraw(ssl: &mut SslRef) {
    if ssl.session().is_some() {
        // SAFETY: null is allowed and means no session; OpenSSL drops its reference to the old one.
        done(unsafe { openssl_sys::SSL_set_session(ssl.as_ptr(), ptr::null_mut()) } == 1);
    }
}

/// Offers `session` in the handshake that `ssl` is about to make, and says whether OpenSSL took
/// it.
///
/// Corresponds to `SSL_set_session`, which takes a reference of its own.
pub(crate) fn offer(ssl: &mut SslRef, session: &SslSessionRef) -> bool {
    // SAFETY: the crate's condition is that the session belongs to the context of `ssl`, because
    // a session in the cache of one context must not be changed through another. Sessions of this
    // crate are duplicates: they are in no context's cache, and this one is `ssl`'s alone.
    done(unsafe { openssl_sys::SSL_set_session(ssl.as_ptr(), session.as_ptr()) } == 1)
}

/// The host that the peer of `ssl` must prove to be, or one of several.
///
/// Corresponds to `X509_VERIFY_PARAM_get0_host`.
pub(crate) fn host(ssl: &SslRef, index: c_int) -> Option<&[u8]> {
    // SAFETY: SSL_get0_param never returns null and the result lives as long as `ssl`; past the
    // last host, null is returned. The name is owned by it, and changed only through `&mut`.
    unsafe {
        text(X509_VERIFY_PARAM_get0_host(
            SSL_get0_param(ssl.as_ptr()),
            index,
        ))
    }
}

/// The mail address that the peer of `ssl` must prove to have.
///
/// Corresponds to `X509_VERIFY_PARAM_get0_email`.
pub(crate) fn email(ssl: &SslRef) -> Option<&[u8]> {
    // SAFETY: as for hosts.
    unsafe { text(X509_VERIFY_PARAM_get0_email(SSL_get0_param(ssl.as_ptr()))) }
}

/// How the hosts that the peer of `ssl` must prove to be are matched.
///
/// Corresponds to `X509_VERIFY_PARAM_get_hostflags`.
pub(crate) fn host_flags(ssl: &SslRef) -> u32 {
    // SAFETY: as for hosts; only read.
    unsafe { X509_VERIFY_PARAM_get_hostflags(SSL_get0_param(ssl.as_ptr())) }
}

/// The IP address that the peer of `ssl` must prove to have, as text.
///
/// Corresponds to `X509_VERIFY_PARAM_get1_ip_asc`.
pub(crate) fn address(ssl: &SslRef) -> Option<String> {
    // SAFETY: SSL_get0_param never returns null, and the result is valid for the call.
    unsafe { address_in(SSL_get0_param(ssl.as_ptr())) }
}

/// Whether connections of this context demand an IP address, if they are told nothing else.
///
/// Corresponds to `X509_VERIFY_PARAM_get1_ip_asc`.
pub(crate) fn demands_address(builder: &SslContextBuilder) -> bool {
    // SAFETY: SSL_CTX_get0_param never returns null, and the result is valid for the call.
    unsafe { address_in(SSL_CTX_get0_param(builder.as_ptr())) }.is_some()
}

/// # Safety
///
/// `param` is valid.
unsafe fn address_in(param: *mut X509_VERIFY_PARAM) -> Option<String> {
    // SAFETY: valid by the caller's word, and only read. That there is no address is an error to
    // OpenSSL. The text is ours: copied and freed here.
    unsafe {
        let address = quietly(|| X509_VERIFY_PARAM_get1_ip_asc(param));
        let copy = text(address).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        openssl_sys::CRYPTO_free(address.cast::<c_void>(), c"".as_ptr(), 0);
        copy
    }
}

/// # Safety
///
/// `text` is null, or ends with a zero byte and lives unchanged for `'a`.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: by the caller's word.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// The key-exchange group of the connection, by its number in the TLS registry. `None` before the
/// handshake and where no group was used. A resumed TLS 1.2 connection has that of the full one.
///
/// Corresponds to `SSL_get_negotiated_group`.
pub fn negotiated_group(ssl: &SslRef) -> Option<u16> {
    // OpenSSL 3.0 reads through the session without looking whether there is one.
    ssl.session()?;
    let get = SSL_CTRL_GET_NEGOTIATED_GROUP;
    // SAFETY: this control only reads, and takes no argument; there is a session.
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

/// Whether the server has accepted the early data that was sent to it. `false` until it has
/// answered, and if none was sent.
///
/// Corresponds to `SSL_get_early_data_status`.
pub fn early_data_accepted(ssl: &SslRef) -> bool {
    // SAFETY: the object is valid for the call and only read.
    unsafe { SSL_get_early_data_status(ssl.as_ptr()) == SSL_EARLY_DATA_ACCEPTED }
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
    /// OpenSSL has given up, in a handshake or after it: it is not waiting for anything.
    fn failed(ssl: &SslRef);
    /// The peer has ended the connection with a fatal alert, in a handshake or after it.
    fn refused(ssl: &SslRef);
}

/// Tells `H` of every handshake of the context.
///
/// Corresponds to `SSL_CTX_set_info_callback`.
pub(crate) fn observe_handshakes<H: Handshakes>(builder: &mut SslContextBuilder) {
    // SAFETY: the callback is a function that lives for ever and keeps no state.
    unsafe { SSL_CTX_set_info_callback(builder.as_ptr(), Some(info_callback::<H>)) };
}

unsafe extern "C" fn info_callback<H: Handshakes>(ssl: *const SSL, event: c_int, result: c_int) {
    let observe = match event {
        SSL_CB_HANDSHAKE_START => H::started,
        SSL_CB_HANDSHAKE_DONE => H::done,
        SSL_CB_READ_ALERT if result >> 8 == SSL3_AL_FATAL => H::refused,
        // SAFETY: OpenSSL calls back with a live object; its state is only looked at.
        SSL_CB_CONNECT_EXIT => match unsafe { openssl_sys::SSL_get_error(ssl, result) } {
            openssl_sys::SSL_ERROR_SSL
            | openssl_sys::SSL_ERROR_SYSCALL
            | openssl_sys::SSL_ERROR_ZERO_RETURN => H::failed,
            _ => return,
        },
        _ => return,
    };
    // A panic must not reach C: what it would have stored or counted is lost, which is a miss.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: OpenSSL calls back with the live object whose handshake it is, on the thread
        // that drives it; the reference does not outlive the call and is only read through.
        observe(unsafe { SslRef::from_ptr(ssl.cast_mut()) });
    }));
}
