//! Offers a ticket twice, to learn whether the server accepts that.
//!
//! The store hands a ticket out once: a ticket that is seen twice on the wire shows that both
//! connections are of one client, and a server with replay protection declines it. So this
//! experiment has stores of its own, into which a copy of one ticket is put before each offer. Sessions of rustls 0.23
//! cannot be copied; those of OpenSSL and of the preview of the next rustls can.

mod openssl;
mod preview;

use store_core::{
    Clock, Encoded, Entry, Portable, SessionKey, SessionStore, SystemClock, Usage, Want,
};

use crate::connection_error::ConnectionError;
use crate::dialer::Dialer;
use crate::finding::TwiceRow;
use crate::transport::Transport;
use crate::{Backend, Failure, Options};

/// A client that can offer a ticket twice.
trait DoubleOffer {
    /// Makes a full handshake, waits for tickets, which are stored, and sends `close_notify`: a
    /// server that stores sessions may remove those of a connection that ends without.
    fn full_handshake(&self, io: &mut Transport) -> Result<(), String>;
    /// Takes a ticket out of the store; `None` if there is none.
    fn ticket(&self) -> Option<Encoded>;
    /// Makes a handshake with a copy of a ticket. Returns whether it was resumed.
    fn offer(&self, ticket: &Encoded, io: &mut Transport) -> Result<bool, String>;
}

/// Makes three connections. `None` if the backend cannot copy tickets, or the server sends none.
pub(crate) fn run(backend: Backend, dialer: &Dialer<'_>) -> Option<TwiceRow> {
    let client = client(backend, dialer.options())?;
    let mut row = TwiceRow {
        backend,
        first: false,
        second: false,
        error: None,
    };
    let connect = |handshake: &dyn Fn(&mut Transport) -> Result<bool, String>| {
        let mut connected = dialer.connect().map_err(|failed| failed.error.message)?;
        handshake(&mut connected.io)
            .map_err(|error| ConnectionError::new(Failure::Handshake, error).message)
    };
    let full = connect(&|io| client.full_handshake(io).map(|()| false));
    let Some(ticket) = client.ticket() else {
        let error = Some(full.err()?);
        return Some(TwiceRow { error, ..row });
    };
    // A connection that failed after its tickets arrived was good enough.
    let mut offer_twice = || -> Result<(), String> {
        row.first = connect(&|io| client.offer(&ticket, io))?;
        row.second = connect(&|io| client.offer(&ticket, io))?;
        Ok(())
    };
    row.error = offer_twice().err();
    Some(row)
}

fn client(backend: Backend, options: &Options) -> Option<Box<dyn DoubleOffer>> {
    match backend {
        Backend::Rustls => None,
        Backend::OpenSsl => Some(Box::new(openssl::Client::new(options)?)),
        Backend::RustlsPreview => Some(Box::new(preview::Client::new(options)?)),
    }
}

/// Takes a ticket of `key` out of the store.
fn take<S: Portable>(store: &SessionStore<S>, key: &SessionKey) -> Option<Encoded> {
    let offer = store.offer(key, Want::SingleUse, SystemClock.now(), |_| true)?;
    offer.entry.session.encode()
}

/// Replaces the sessions of the store by a copy of a ticket.
fn put<S: Portable>(store: &SessionStore<S>, key: &SessionKey, ticket: &Encoded) {
    store.clear();
    let now = SystemClock.now();
    if let Some((session, weight)) = S::decode(ticket, Usage::SingleUse) {
        let copy = Entry::new(session, Usage::SingleUse, None, weight, now);
        // If it is refused, the offer does not resume, and the row says so.
        let _ = store.put(key, copy, store.generation(), now);
    }
}
