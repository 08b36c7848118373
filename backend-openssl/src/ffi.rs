//! Bindings that the `openssl` crate lacks. All `unsafe` of this crate is here, and nothing else is.

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
const SSL_CB_WRITE_ALERT: c_int = 0x4008;
const SSL3_AL_FATAL: c_int = 2;
/// A warning (1) whose description is `close_notify` (0).
const CLOSE_NOTIFY: c_int = 1 << 8;
const SSL_CB_CONNECT_EXIT: c_int = 0x1002;
const SSL_CTRL_SET_GROUPS_LIST: c_int = 92;
const SSL_CTRL_GET_EXTMS_SUPPORT: c_int = 122;
const SSL_CTRL_GET_NEGOTIATED_GROUP: c_int = 134;
const SSL_EARLY_DATA_ACCEPTED: c_int = 2;
const TLSEXT_NID_UNKNOWN: c_int = 0x0100_0000;

type InfoCallback = unsafe extern "C" fn(*const SSL, c_int, c_int);
type NewSessionCallback = unsafe extern "C" fn(*mut SSL, *mut SSL_SESSION) -> c_int;

unsafe extern "C" {
    fn SSL_SESSION_dup(session: *const SSL_SESSION) -> *mut SSL_SESSION;
    fn SSL_SESSION_set1_id(session: *mut SSL_SESSION, id: *const c_uchar, len: c_uint) -> c_int;
    fn SSL_SESSION_is_resumable(session: *const SSL_SESSION) -> c_int;
    fn SSL_SESSION_set_max_early_data(session: *mut SSL_SESSION, bytes: u32) -> c_int;
    fn SSL_SESSION_set_time(session: *mut SSL_SESSION, time: c_long) -> c_long;
    fn SSL_SESSION_get_ticket_lifetime_hint(session: *const SSL_SESSION) -> c_ulong;
    fn SSL_SESSION_get0_ticket(
        session: *const SSL_SESSION,
        ticket: *mut *const c_uchar,
        len: *mut usize,
    );
    fn SSL_group_to_name(ssl: *mut SSL, group: c_int) -> *const c_char;
    fn SSL_get_early_data_status(ssl: *const SSL) -> c_int;
    fn SSL_SESSION_get0_peer(session: *mut SSL_SESSION) -> *mut X509;
    fn SSL_set_info_callback(ssl: *mut SSL, callback: Option<InfoCallback>);
    fn SSL_CTX_get_info_callback(ctx: *mut SSL_CTX) -> Option<InfoCallback>;
    fn SSL_CTX_sess_get_new_cb(ctx: *mut SSL_CTX) -> Option<NewSessionCallback>;
    fn SSL_get0_param(ssl: *const SSL) -> *mut X509_VERIFY_PARAM;
    fn X509_VERIFY_PARAM_get0_host(param: *mut X509_VERIFY_PARAM, index: c_int) -> *mut c_char;
    fn X509_VERIFY_PARAM_get0_email(param: *mut X509_VERIFY_PARAM) -> *mut c_char;
    fn X509_VERIFY_PARAM_get1_ip_asc(param: *mut X509_VERIFY_PARAM) -> *mut c_char;
    fn X509_VERIFY_PARAM_get_hostflags(param: *const X509_VERIFY_PARAM) -> c_uint;
    fn ERR_set_mark() -> c_int;
    fn ERR_pop_to_mark() -> c_int;
}

/// Calls OpenSSL and restores its error queue. The queue is per thread, and an error left in it makes
/// OpenSSL report the application's next empty read as a broken connection.
fn restoring_errors<T>(call: impl FnOnce() -> T) -> T {
    // SAFETY: both calls only change the calling thread's own queue. If the queue is empty there is
    // no error to mark, and `ERR_pop_to_mark` pops all later ones, which is the same.
    unsafe { ERR_set_mark() };
    let result = call();
    // SAFETY: as above.
    unsafe { ERR_pop_to_mark() };
    result
}

/// Empties the error queue if a call did not succeed, and returns whether it did.
///
/// For calls that fail only for lack of memory: [`restoring_errors`] would cost as much as
/// duplicating a session.
fn checked(succeeded: bool) -> bool {
    if !succeeded {
        drop(ErrorStack::get());
    }
    succeeded
}

/// Copies a session into an object of its own. The copy is in no context's cache and shares only
/// immutable, reference-counted parts such as certificates.
///
/// Corresponds to `SSL_SESSION_dup`.
pub(crate) fn duplicate(session: &SslSessionRef) -> Option<SslSession> {
    // SAFETY: the source is valid for the call and only read. Every session that this crate
    // duplicates is either in the store, where nothing changes it, or passed to a callback on this
    // thread. A ticket in the store that its connection still refers to has no id, so that OpenSSL
    // does not mark it. The result is null or a new reference that we own.
    unsafe {
        let copy = SSL_SESSION_dup(session.as_ptr());
        checked(!copy.is_null()).then(|| SslSession::from_ptr(copy))
    }
}

/// Takes the id out of a session that has just been received and that no other thread has.
///
/// Corresponds to `SSL_SESSION_set1_id`.
pub(crate) fn clear_id(session: &SslSessionRef) {
    // SAFETY: called in the `new_session` callback, on the thread that drives the connection, before
    // the session is stored: no other thread has it. With length 0 the id is not read.
    unsafe { SSL_SESSION_set1_id(session.as_ptr(), ptr::null(), 0) };
}

/// Sets when a session was received, in seconds since the Unix epoch. For private copies only.
///
/// Corresponds to `SSL_SESSION_set_time`.
pub(crate) fn set_time(session: &mut SslSession, time: c_long) {
    // SAFETY: the session is valid for the call and the caller's private copy: no other thread has
    // it. The result is the time, or 0 for a null session.
    unsafe { SSL_SESSION_set_time(session.as_ptr(), time) };
}

/// Gives a ticket some id, since the store keeps it without. For private copies only.
///
/// If the server declines a session without an id, OpenSSL does not replace the object by a new one,
/// and fails because that has a host name already. In TLS 1.3 it neither sends nor compares the id.
///
/// Corresponds to `SSL_SESSION_set1_id`.
pub(crate) fn set_any_id(session: &mut SslSession) {
    let id = [0; 1];
    // SAFETY: the session is valid for the call and the caller's private copy: no other thread has
    // it. The id is copied.
    checked(unsafe { SSL_SESSION_set1_id(session.as_ptr(), id.as_ptr(), 1) } == 1);
}

/// Whether a session may be offered: OpenSSL has not marked it.
///
/// Corresponds to `SSL_SESSION_is_resumable`.
pub(crate) fn is_resumable(session: &SslSessionRef) -> bool {
    // SAFETY: the session is valid for the call and only read.
    unsafe { SSL_SESSION_is_resumable(session.as_ptr()) == 1 }
}

/// Whether `SSL_free` has released the session when it frees the object's `ex_data`. 3.0 frees the
/// `ex_data` first and marks the session afterwards, 3.6 does not; the versions between are treated
/// as 3.0.
pub(crate) fn frees_session_first() -> bool {
    openssl::version::number() >= 0x3060_0000
}

/// The lifetime in seconds that the server gave a session's ticket; 0 if it gave none.
/// (`SslSession::timeout` is the *context's* timeout.)
///
/// Corresponds to `SSL_SESSION_get_ticket_lifetime_hint`.
#[allow(
    clippy::useless_conversion,
    reason = "a C long has 32 bits on some targets"
)]
pub(crate) fn ticket_lifetime(session: &SslSessionRef) -> u64 {
    // SAFETY: the session is valid for the call and only read.
    unsafe { SSL_SESSION_get_ticket_lifetime_hint(session.as_ptr()) }.into()
}

/// Sets the early data that a session allows to none. For private copies only.
///
/// Corresponds to `SSL_SESSION_set_max_early_data`.
pub(crate) fn forbid_early_data(session: &mut SslSession) {
    // SAFETY: the session is valid for the call and the caller's private copy: no other thread has
    // it.
    checked(unsafe { SSL_SESSION_set_max_early_data(session.as_ptr(), 0) } == 1);
}

/// Whether a session has its peer's certificate.
///
/// Corresponds to `SSL_SESSION_get0_peer`.
pub(crate) fn has_peer_certificate(session: &SslSessionRef) -> bool {
    // SAFETY: the session is valid for the call and only read. The result is compared with null and not
    // dereferenced.
    !unsafe { SSL_SESSION_get0_peer(session.as_ptr()) }.is_null()
}

/// Bytes of a session's ticket; 0 if it has none.
///
/// Corresponds to `SSL_SESSION_get0_ticket`.
pub(crate) fn ticket_len(session: &SslSessionRef) -> usize {
    let mut ticket = ptr::null();
    let mut len = 0;
    // SAFETY: the session is valid for the call, and both out-pointers point to live variables. The
    // ticket itself is not dereferenced.
    unsafe { SSL_SESSION_get0_ticket(session.as_ptr(), &raw mut ticket, &raw mut len) };
    len
}

/// Removes the session that `ssl` was to offer, if any.
///
/// Corresponds to `SSL_set_session` with a null session.
pub(crate) fn clear_session(ssl: &mut SslRef) {
    if ssl.session().is_some() {
        // SAFETY: null is allowed and means no session. OpenSSL drops its reference to the old one.
        checked(unsafe { openssl_sys::SSL_set_session(ssl.as_ptr(), ptr::null_mut()) } == 1);
    }
}

/// Sets the session that `ssl` offers in its handshake. Returns whether OpenSSL accepted it.
///
/// Corresponds to `SSL_set_session`, which takes a reference of its own.
pub(crate) fn set_session(ssl: &mut SslRef, session: &SslSessionRef) -> bool {
    // SAFETY: the `openssl` crate requires that the session belongs to the context of `ssl`, because
    // a session in the cache of one context must not be changed through another. Sessions of this
    // crate are in no context's cache, because the contexts have none, and this one is used by `ssl`
    // alone.
    checked(unsafe { openssl_sys::SSL_set_session(ssl.as_ptr(), session.as_ptr()) } == 1)
}

/// The host name at `index` among those that the certificate of `ssl`'s peer may match.
///
/// Corresponds to `X509_VERIFY_PARAM_get0_host`.
pub(crate) fn required_host(ssl: &SslRef, index: c_int) -> Option<&[u8]> {
    // SAFETY: SSL_get0_param never returns null and the result lives as long as `ssl`. Past the last
    // host, null is returned. The name is owned by the parameters, and changed only through `&mut`.
    unsafe {
        text(X509_VERIFY_PARAM_get0_host(
            SSL_get0_param(ssl.as_ptr()),
            index,
        ))
    }
}

/// The email address that the certificate of `ssl`'s peer must match.
///
/// Corresponds to `X509_VERIFY_PARAM_get0_email`.
pub(crate) fn required_email(ssl: &SslRef) -> Option<&[u8]> {
    // SAFETY: as for hosts.
    unsafe { text(X509_VERIFY_PARAM_get0_email(SSL_get0_param(ssl.as_ptr()))) }
}

/// The flags by which the hosts of `ssl` are matched (`X509_CHECK_FLAG_...`).
///
/// Corresponds to `X509_VERIFY_PARAM_get_hostflags`.
pub(crate) fn host_flags(ssl: &SslRef) -> u32 {
    // SAFETY: as for hosts; only read.
    unsafe { X509_VERIFY_PARAM_get_hostflags(SSL_get0_param(ssl.as_ptr())) }
}

/// The IP address that the certificate of `ssl`'s peer must match, as text.
///
/// Corresponds to `X509_VERIFY_PARAM_get1_ip_asc`.
pub(crate) fn required_address(ssl: &SslRef) -> Option<String> {
    // SAFETY: SSL_get0_param never returns null, and the result is valid for the call.
    unsafe { address_in(SSL_get0_param(ssl.as_ptr())) }
}

/// # Safety
///
/// `param` is valid.
unsafe fn address_in(param: *mut X509_VERIFY_PARAM) -> Option<String> {
    // SAFETY: valid by this function's contract, and only read. OpenSSL raises an error if there is
    // no address. The text is owned by the caller: copied and freed here.
    unsafe {
        let address = restoring_errors(|| X509_VERIFY_PARAM_get1_ip_asc(param));
        let copy = text(address).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        openssl_sys::CRYPTO_free(address.cast::<c_void>(), c"".as_ptr(), 0);
        copy
    }
}

/// # Safety
///
/// `text` is null, or ends with a zero byte and stays valid and unchanged for `'a`.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: not null here, and valid by this function's contract.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// The key-exchange group of the connection, as a number of IANA's "TLS Supported Groups" registry.
///
/// `None` before the handshake and if no group was used. On a resumed TLS 1.2 connection it is the
/// group of the full handshake.
///
/// Corresponds to `SSL_get_negotiated_group`.
pub fn negotiated_group(ssl: &SslRef) -> Option<u16> {
    // OpenSSL 3.0 dereferences the session without a null check.
    ssl.session()?;
    let get = SSL_CTRL_GET_NEGOTIATED_GROUP;
    // SAFETY: this control only reads and takes no argument, and there is a session.
    let group = unsafe { openssl_sys::SSL_ctrl(ssl.as_ptr(), get, 0, ptr::null_mut()) };
    // OpenSSL returns its NID of a group if it has one, else the number with a flag.
    match group {
        415 => Some(23),  // secp256r1
        715 => Some(24),  // secp384r1
        716 => Some(25),  // secp521r1
        1034 => Some(29), // x25519
        1035 => Some(30), // x448
        unknown if unknown & c_long::from(TLSEXT_NID_UNKNOWN) != 0 => {
            u16::try_from(unknown & !c_long::from(TLSEXT_NID_UNKNOWN)).ok()
        }
        _ => None,
    }
}

/// Whether the connection has the extended master secret (RFC 7627), an extension of TLS 1.2. `false`
/// before the handshake.
///
/// Corresponds to `SSL_get_extms_support`.
pub fn has_extended_master_secret(ssl: &SslRef) -> bool {
    let get = SSL_CTRL_GET_EXTMS_SUPPORT;
    // SAFETY: the object is valid for the call, and the control only reads and takes no argument.
    ssl.session().is_some()
        && unsafe { openssl_sys::SSL_ctrl(ssl.as_ptr(), get, 0, ptr::null_mut()) } == 1
}

/// The name of a group, given as a number of IANA's registry. `None` if OpenSSL does not have it.
///
/// Corresponds to `SSL_group_to_name`.
pub(crate) fn group_name(ssl: &SslRef, group: u16) -> Option<String> {
    let group = TLSEXT_NID_UNKNOWN | c_int::from(group);
    // SAFETY: the object is valid for the call and only read. The result is null or a text that
    // belongs to the context, and is copied here.
    let name = unsafe { text(SSL_group_to_name(ssl.as_ptr(), group)) };
    String::from_utf8(name?.to_vec()).ok()
}

/// Sets the groups that `ssl` offers. If OpenSSL does not accept the list, they stay as they are.
///
/// Corresponds to `SSL_set1_groups_list`.
pub(crate) fn set_groups_list(ssl: &mut SslRef, list: &CStr) {
    let (set, list) = (SSL_CTRL_SET_GROUPS_LIST, list.as_ptr().cast_mut());
    // SAFETY: the object is valid for the call, and the list ends with a zero byte and is only read.
    checked(unsafe { openssl_sys::SSL_ctrl(ssl.as_ptr(), set, 0, list.cast()) } == 1);
}

/// Whether a list of groups can have marks on several groups whose key shares are sent. Before
/// OpenSSL 3.5 the first group alone has one.
pub(crate) fn marks_key_shares() -> bool {
    openssl::version::number() >= 0x3050_0000
}

/// Whether the server has accepted the early data. `false` before its reply, and if none was sent.
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

/// What the `new_session` callback passes on.
pub(crate) trait SessionObserver {
    /// OpenSSL has received a session.
    fn session_received(ssl: &SslRef, session: &SslSessionRef);
}

/// Observer of the handshakes of a connection.
pub(crate) trait HandshakeObserver {
    /// `SSL_CB_HANDSHAKE_START`: a handshake starts.
    fn started(ssl: &SslRef);
    /// `SSL_CB_HANDSHAKE_DONE`: a handshake has succeeded, or its first flight is written and early
    /// data follows.
    fn done(ssl: &SslRef);
    /// `SSL_CB_CONNECT_EXIT` with an error of the transport, which is not a wait for it.
    fn failed(ssl: &SslRef);
    /// `SSL_CB_CONNECT_EXIT` with an error of the protocol.
    fn rejected(ssl: &SslRef);
    /// `SSL_CB_CONNECT_EXIT` because the peer's certificate is not accepted.
    fn distrusted(ssl: &SslRef);
    /// `SSL_CB_READ_ALERT`: the peer has sent a fatal alert of this number, in a handshake or after it.
    fn alert_received(ssl: &SslRef, alert: u8);
    /// `SSL_CB_WRITE_ALERT`: `close_notify` is sent.
    fn closed(ssl: &SslRef);
}

/// Sets the info callback of a connection, which calls `O`.
///
/// Corresponds to `SSL_set_info_callback`.
pub(crate) fn observe_handshake<O: HandshakeObserver>(ssl: &mut SslRef) {
    // SAFETY: the callback is a function without state, valid for the life of the process.
    unsafe { SSL_set_info_callback(ssl.as_ptr(), Some(info_callback::<O>)) };
}

/// Sets the `new_session` callback of a context, which calls `O`. The crate's own looks the closure up
/// in a map behind a lock, each time.
///
/// Corresponds to `SSL_CTX_sess_set_new_cb`.
pub(crate) fn observe_sessions<O: SessionObserver>(builder: &mut SslContextBuilder) {
    // SAFETY: the callback is a function without state, valid for the life of the process.
    unsafe { openssl_sys::SSL_CTX_sess_set_new_cb(builder.as_ptr(), Some(new_session::<O>)) };
}

unsafe extern "C" fn new_session<O: SessionObserver>(
    ssl: *mut SSL,
    session: *mut SSL_SESSION,
) -> c_int {
    // A panic must not reach C. The session is then not stored, which is a miss.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: OpenSSL passes live objects, on the thread that drives the connection. The
        // references do not outlive the call and are only read through.
        let (ssl, session) = unsafe { (SslRef::from_ptr(ssl), SslSessionRef::from_ptr(session)) };
        O::session_received(ssl, session);
    }));
    0 // OpenSSL drops its own reference
}

/// `SSL_R_UNEXPECTED_EOF_WHILE_READING`: the transport ended without `close_notify`.
const UNEXPECTED_EOF: c_int = 294;
/// `SSL_R_CERTIFICATE_VERIFY_FAILED`.
const CERTIFICATE_VERIFY_FAILED: c_int = 134;

/// The reason of the last error of this thread.
fn last_reason() -> c_int {
    // SAFETY: takes no arguments, and only reads the thread's error queue.
    openssl_sys::ERR_GET_REASON(unsafe { openssl_sys::ERR_peek_last_error() })
}

unsafe extern "C" fn info_callback<O: HandshakeObserver>(
    ssl: *const SSL,
    event: c_int,
    result: c_int,
) {
    let observe = |observed: &SslRef| match event {
        SSL_CB_HANDSHAKE_START => O::started(observed),
        SSL_CB_HANDSHAKE_DONE => O::done(observed),
        SSL_CB_READ_ALERT if result >> 8 == SSL3_AL_FATAL => {
            O::alert_received(observed, u8::try_from(result & 0xff).unwrap_or_default());
        }
        SSL_CB_WRITE_ALERT if result == CLOSE_NOTIFY => O::closed(observed),
        // SAFETY: OpenSSL passes a live object; its state is only read.
        SSL_CB_CONNECT_EXIT => match unsafe { openssl_sys::SSL_get_error(ssl, result) } {
            openssl_sys::SSL_ERROR_SSL => match last_reason() {
                UNEXPECTED_EOF => O::failed(observed),
                CERTIFICATE_VERIFY_FAILED => O::distrusted(observed),
                _ => O::rejected(observed),
            },
            openssl_sys::SSL_ERROR_SYSCALL | openssl_sys::SSL_ERROR_ZERO_RETURN => {
                O::failed(observed);
            }
            _ => {}
        },
        _ => {}
    };
    // A panic must not reach C. The session or count of this event is lost, which costs a miss.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: OpenSSL passes the live object whose handshake it is, on the thread that drives
        // it. The reference does not outlive the call and is only read through.
        observe(unsafe { SslRef::from_ptr(ssl.cast_mut()) });
    }));
}
