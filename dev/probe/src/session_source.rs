//! Experiments with the sessions of one address: are they resumed at other addresses, and always at
//! their own?

use std::io;
use std::net::SocketAddr;

use tls_resume::Protocol;

use crate::Backend;
use crate::client::{self, Client, Handshake, Storage};
use crate::connection_error::ConnectionError;
use crate::dialer::Dialer;
use crate::finding::{AddressRow, AgainRow};

/// How many addresses of a name are tested.
pub(crate) const MAX_ADDRESSES: usize = 8;
/// How many times sessions are offered at their own address. Handshakes between these shift the
/// turn of a round-robin balancer: with two machines behind it, one offer meets the machine that
/// issued the session.
const ROUNDS: usize = 3;

/// A client all of whose sessions come from one address.
struct SessionSource<'a> {
    backend: Backend,
    dialer: &'a Dialer<'a>,
    client: &'a dyn Client,
    address: SocketAddr,
    /// Number of sessions stored, by what the handshakes showed.
    stored: usize,
}

impl SessionSource<'_> {
    /// Makes a handshake at the address, and stores the sessions that it brings.
    fn connect_home(&mut self) -> Result<Handshake, ConnectionError> {
        let handshake = self.connect(self.address, true)?;
        let used = usize::from(handshake.offered && self.stored > 0);
        self.stored = self.stored - used + handshake.tickets;
        if handshake.protocol == Protocol::Tls12 && handshake.resumed {
            self.stored = self.stored.max(1); // a resumed TLS 1.2 session stays
        }
        Ok(handshake)
    }

    /// Offers a session at an address, and stores none that comes from there.
    fn offer(&mut self, to: SocketAddr) -> Result<Handshake, ConnectionError> {
        let handshake = self.connect(to, false)?;
        // What is not kept takes the session with it that was resumed, and older ones.
        let takes_all = handshake.resumed || handshake.protocol == Protocol::Tls12;
        self.stored = if takes_all {
            0
        } else {
            self.stored.saturating_sub(1)
        };
        Ok(handshake)
    }

    /// Offers a session at an address, after a handshake at home if none is stored.
    fn refill_and_offer(&mut self, to: SocketAddr) -> Result<Handshake, ConnectionError> {
        if self.stored == 0 {
            self.connect_home()?;
        }
        self.offer(to)
    }

    /// Offers a fresh session at its own address.
    fn offer_home(&mut self) -> Result<Handshake, ConnectionError> {
        self.clear();
        self.connect_home()?;
        self.connect_home()
    }

    fn clear(&mut self) {
        self.client.clear();
        self.stored = 0;
    }

    fn connect(&self, to: SocketAddr, keep: bool) -> Result<Handshake, ConnectionError> {
        let mut connected = self.dialer.connect_to(to)?;
        self.dialer.handshake(self.client, &mut connected, keep)
    }

    fn row(&self, to: SocketAddr, result: Result<Handshake, ConnectionError>) -> AddressRow {
        let mut row = AddressRow {
            backend: self.backend,
            from: self.address.ip().to_string(),
            to: to.ip().to_string(),
            offered: false,
            resumed: false,
            error: None,
            failure: None,
            protocol: None,
        };
        match result {
            Ok(handshake) => {
                row.offered = handshake.offered;
                row.resumed = handshake.resumed;
                row.protocol = Some(handshake.protocol.to_string());
            }
            Err(error) => {
                row.offered = error.offered;
                row.failure = Some(error.failure);
                row.error = Some(error.message);
            }
        }
        row
    }
}

fn is_declined(result: &Result<Handshake, ConnectionError>) -> bool {
    result.as_ref().is_ok_and(Handshake::is_declined)
}

/// Tests whether each address resumes its own sessions, and those that do also each other's. A
/// declined session is followed by a fresh one: a server may decline by chance.
pub(crate) fn offer_across(
    client: &dyn Client,
    backend: Backend,
    dialer: &Dialer<'_>,
    on_row: &mut dyn FnMut(&AddressRow) -> io::Result<()>,
) -> io::Result<Vec<AddressRow>> {
    let source = |address| SessionSource {
        backend,
        dialer,
        client,
        address,
        stored: 0,
    };
    let mut rows = Vec::new();
    let mut add = |row: AddressRow| {
        on_row(&row)?;
        rows.push(row);
        io::Result::Ok(())
    };
    let mut resuming = Vec::new();
    for &address in dialer.addresses().iter().take(MAX_ADDRESSES) {
        let mut source = source(address);
        let mut result = source.offer_home();
        if is_declined(&result) {
            add(source.row(address, result))?;
            result = source.offer_home();
        }
        if result.as_ref().is_ok_and(|handshake| handshake.resumed) {
            resuming.push(address);
        }
        add(source.row(address, result))?;
    }
    for &from in &resuming {
        let mut source = source(from);
        source.clear();
        for &to in resuming.iter().filter(|to| **to != from) {
            let mut result = source.refill_and_offer(to);
            if is_declined(&result) {
                add(source.row(to, result))?;
                source.clear();
                result = source.refill_and_offer(to);
            }
            let failed = result.is_err();
            add(source.row(to, result))?;
            if failed {
                source.clear(); // the store would offer the next address nothing
            }
        }
    }
    Ok(rows)
}

/// Offers the sessions of a handshake at their own address, in several rounds. `None` if a
/// handshake fails.
pub(crate) fn offer_again(
    client: &dyn Client,
    backend: Backend,
    dialer: &Dialer<'_>,
    address: SocketAddr,
) -> Option<AgainRow> {
    let mut source = SessionSource {
        backend,
        dialer,
        client,
        address,
        stored: 0,
    };
    let mut row = AgainRow {
        backend,
        offered: 0,
        resumed: 0,
    };
    for round in 0..ROUNDS {
        source.clear();
        let handshake = source.connect_home().ok()?;
        let stored = source.stored;
        let other = client::new(backend, dialer.options(), Storage::Private).ok()?;
        for _ in 0..round {
            // A full handshake that only takes its turn at a balancer.
            let mut connected = dialer.connect_to(source.address).ok()?;
            dialer
                .handshake(other.as_ref(), &mut connected, false)
                .ok()?;
        }
        for _ in 0..stored.min(2) {
            let offer = source.offer(source.address).ok()?;
            row.offered += usize::from(offer.offered);
            row.resumed += usize::from(offer.resumed);
            if handshake.protocol == Protocol::Tls12 {
                break;
            }
        }
    }
    Some(row)
}
