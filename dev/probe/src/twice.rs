//! A ticket offered twice, to learn whether the server accepts that.
//!
//! The store never does it: who sees a ticket twice on the wire knows that it is the same client,
//! and a server that protects itself from replays declines it. So this has stores of its own, into
//! which the ticket is put twice. It takes sessions that can be written down: those of OpenSSL and
//! of the preview of the next rustls, not those of rustls 0.23.

mod openssl;
mod preview;

use store_core::{Clock, Portable, SessionKey, SessionStore, Storable, SystemClock};

use crate::counted::Counted;
use crate::failure::{Failed, Failure};
use crate::finding::TwiceRow;
use crate::route::Route;
use crate::{Backend, Options};

/// A client that can be made to offer a ticket twice.
trait Doubling {
    /// Makes a full handshake, waits for tickets, which are kept, and says farewell: a server that
    /// keeps sessions may drop them with a connection that ends without.
    fn full(&self, io: &mut Counted) -> Result<(), String>;
    /// Of the tickets, keeps one, twice; false if there is none.
    fn double(&self) -> bool;
    /// Makes a handshake with what is there, and keeps nothing that it brings; whether it resumed.
    fn offer(&self, io: &mut Counted) -> Result<bool, String>;
}

/// Makes three connections. Nothing for a backend that cannot, or if there is no ticket.
pub(crate) fn ask(backend: Backend, route: &Route<'_>) -> Option<TwiceRow> {
    let client = client(backend, route.options())?;
    let mut row = TwiceRow {
        backend,
        first: false,
        second: false,
        error: None,
    };
    let connected = |connect: &dyn Fn(&mut Counted) -> Result<bool, String>| {
        let mut reached = route.reach().map_err(|(_, failed)| failed.why)?;
        connect(&mut reached.io).map_err(|error| Failed::new(Failure::Handshake, error).why)
    };
    // A connection that broke after its tickets came has done its work.
    let filled = connected(&|io| client.full(io).map(|()| false));
    let has_ticket = client.double();
    let asked = filled.or_else(|why| if has_ticket { Ok(false) } else { Err(why) });
    let asked = asked.and_then(|_| {
        if !has_ticket {
            return Ok(false);
        }
        row.first = connected(&|io| client.offer(io))?;
        row.second = connected(&|io| client.offer(io))?;
        Ok(true)
    });
    match asked {
        Ok(true) => Some(row),
        Ok(false) => None,
        Err(why) => Some(TwiceRow {
            error: Some(why),
            ..row
        }),
    }
}

fn client(backend: Backend, options: &Options) -> Option<Box<dyn Doubling>> {
    match backend {
        Backend::Rustls => None,
        Backend::OpenSsl => Some(Box::new(openssl::Client::new(options)?)),
        Backend::RustlsPreview => Some(Box::new(preview::Client::new(options)?)),
    }
}

/// Leaves one of a server's tickets in its store, twice.
fn double<S: Storable + Portable>(store: &SessionStore<S>, key: &SessionKey) -> bool {
    let now = SystemClock.now();
    let Some(offer) = store.take(key, now) else {
        return false;
    };
    let entry = offer.entry;
    let Some(encoded) = entry.session.encode() else {
        return false;
    };
    store.clear();
    (0..2).all(|_| {
        let again = S::decode(&encoded, entry.usage);
        again.is_some_and(|(session, weight)| {
            let copy = store_core::Entry::new(session, entry.usage, None, weight, now);
            store.put(key, copy, store.generation(), now).is_ok()
        })
    })
}
