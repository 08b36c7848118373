//! Offers a ticket twice, to learn whether the server accepts that.
//!
//! The store hands a ticket out once: a ticket that is seen twice on the wire shows that both
//! connections are of one client, and a server with replay protection declines it. So this
//! experiment has stores of its own, into which a ticket is put twice. Sessions of rustls 0.23
//! cannot be copied; those of OpenSSL and of the preview of the next rustls can.

mod openssl;
mod preview;

use store_core::{Clock, Portable, SessionKey, SessionStore, Storable, SystemClock, Want};

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
    /// Replaces the stored tickets by two copies of one; false if there is none.
    fn duplicate_ticket(&self) -> bool;
    /// Makes a handshake with a stored ticket, and stores none. Returns whether it was resumed.
    fn offer(&self, io: &mut Transport) -> Result<bool, String>;
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
    if !client.duplicate_ticket() {
        let error = Some(full.err()?);
        return Some(TwiceRow { error, ..row });
    }
    // A connection that failed after its tickets arrived was good enough.
    let mut offer_twice = || -> Result<(), String> {
        row.first = connect(&|io| client.offer(io))?;
        row.second = connect(&|io| client.offer(io))?;
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

/// Replaces the sessions of `key` by two copies of one.
fn duplicate<S: Storable + Portable>(store: &SessionStore<S>, key: &SessionKey) -> bool {
    let now = SystemClock.now();
    let Some(offer) = store.offer(key, Want::SingleUse, now, |_| true) else {
        return false;
    };
    let entry = offer.entry;
    let Some(encoded) = entry.session.encode() else {
        return false;
    };
    store.clear();
    (0..2).all(|_| {
        let decoded = S::decode(&encoded, entry.usage);
        decoded.is_some_and(|(session, weight)| {
            let copy = store_core::Entry::new(session, entry.usage, None, weight, now);
            store.put(key, copy, store.generation(), now).is_ok()
        })
    })
}
