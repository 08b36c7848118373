//! A session as an `SSL_SESSION`, shared by the store and by connections so that a handshake needs
//! no copy of it.
//!
//! OpenSSL marks the session of a connection as not resumable when the connection ends without
//! `close_notify`. It does so in `SSL_CTX_remove_session`, which ignores a session without an id.
//!
//! - A TLS 1.3 ticket is kept as the object itself, with its id taken out: the protocol does not
//!   use it. The connection that received the ticket refers to the same object until its next
//!   ticket arrives or it is freed; a ticket that is offered before that is copied.
//! - A TLS 1.2 session needs its id, so the store keeps an original that no connection uses. A
//!   connection that has ended cleanly leaves its copy for the next one.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foreign_types::ForeignTypeRef;
use openssl::ssl::{SslSession, SslSessionRef};
use parking_lot::Mutex;
use store_core::Usage;

use crate::ffi;

/// An `SSL_SESSION` that the store keeps. OpenSSL wipes it with the last reference.
pub(crate) struct Live {
    session: SslSession,
    pub(crate) usage: Usage,
    /// TLS 1.2: a copy that no connection uses any more.
    spare: Mutex<Option<SslSession>>,
    /// TLS 1.3: a connection that is being freed may still refer to the session.
    in_use: AtomicBool,
}

impl Live {
    /// A session that nothing else refers to.
    pub(crate) fn new(session: SslSession, usage: Usage) -> Arc<Self> {
        Arc::new(Self {
            session,
            usage,
            spare: Mutex::new(None),
            in_use: AtomicBool::new(false),
        })
    }

    /// A session that a connection has received, and what that connection keeps of it. `None` if
    /// it cannot be copied. Called in the `new_session` callback, or when the handshake is done.
    #[inline]
    pub(crate) fn received(session: &SslSessionRef, usage: Usage) -> Option<(Arc<Self>, InUse)> {
        if usage == Usage::SingleUse {
            ffi::clear_id(session);
            let live = Self::new(session.to_owned(), usage);
            return Some((Arc::clone(&live), InUse::Ticket(live)));
        }
        let live = Self::new(ffi::duplicate(session)?, usage);
        Some((Arc::clone(&live), InUse::Copy(live, session.to_owned())))
    }

    pub(crate) fn session(&self) -> &SslSessionRef {
        &self.session
    }

    /// An object for one connection alone, and what that connection keeps of it. `None` if it
    /// cannot be copied.
    #[inline]
    pub(crate) fn offered(self: Arc<Self>) -> Option<(SslSession, Option<InUse>)> {
        if self.usage == Usage::Reusable {
            let spare = self.replace_spare(None);
            let own = spare.or_else(|| ffi::duplicate(&self.session))?;
            return Some((own.clone(), Some(InUse::Copy(self, own))));
        }
        let ticket = match Arc::try_unwrap(self) {
            Ok(live) if !live.in_use.load(Ordering::Acquire) => live.session,
            Ok(live) => ffi::duplicate(&live.session)?,
            Err(live) => ffi::duplicate(&live.session)?,
        };
        Some((ticket, None))
    }

    fn replace_spare(&self, spare: Option<SslSession>) -> Option<SslSession> {
        mem::replace(&mut self.spare.lock(), spare)
    }
}

/// The session that OpenSSL holds for a connection, and what the store keeps of it.
pub(crate) enum InUse {
    /// A ticket that the connection received: the object in the store.
    Ticket(Arc<Live>),
    /// A TLS 1.2 session that the connection offered or received: its own object, a copy of what is
    /// in the store.
    Copy(Arc<Live>, SslSession),
}

impl InUse {
    /// Whether `session` is the connection's own copy.
    pub(crate) fn is(&self, session: &SslSessionRef) -> bool {
        matches!(self, Self::Copy(_, own) if own.as_ptr() == session.as_ptr())
    }

    /// The connection ends, after a `completed` handshake or before. `closed`: it has sent
    /// `close_notify`.
    pub(crate) fn end(self, completed: bool, closed: bool) {
        // OpenSSL frees the session before the handle, or else marks it after this.
        let is_unused = closed || ffi::frees_session_first();
        match self {
            Self::Ticket(live) => {
                if !is_unused {
                    live.in_use.store(true, Ordering::Release);
                }
            }
            Self::Copy(live, own) => {
                if completed && is_unused && ffi::is_resumable(&own) {
                    drop(live.replace_spare(Some(own)));
                }
            }
        }
    }
}
