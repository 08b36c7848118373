//! Sessions of one address: where else they are good, and whether they always are where they come
//! from.

use std::io;
use std::net::SocketAddr;

use crate::Backend;
use crate::client::{Client, Facts};
use crate::failure::Failed;
use crate::finding::{AddressRow, AgainRow};
use crate::route::Route;

/// How many addresses are asked.
pub(crate) const MOST_ADDRESSES: usize = 8;
/// How often sessions of one handshake are offered where they come from. Handshakes that are in
/// between shift whose turn it is at a balancer: with two machines behind it, one of these meets the
/// machine that it comes from.
const ROUNDS: usize = 3;

/// A client all of whose sessions come from one address.
struct Origin<'a> {
    backend: Backend,
    route: &'a Route<'a>,
    client: &'a dyn Client,
    address: SocketAddr,
    /// Sessions that it has, as far as the server said.
    stock: usize,
}

impl Origin<'_> {
    /// Makes a handshake at the address, keeping what it brings.
    fn fill(&mut self) -> Result<Facts, Failed> {
        let facts = self.connect(self.address, true)?;
        let used = usize::from(facts.offered && self.stock > 0);
        self.stock = self.stock - used + facts.tickets;
        if facts.protocol == tls_resume::Protocol::Tls12 && facts.resumed {
            self.stock = self.stock.max(1); // it is still good
        }
        Ok(facts)
    }

    /// Offers one of the sessions at an address, and keeps nothing that comes from there.
    fn offer(&mut self, to: SocketAddr) -> Result<Facts, Failed> {
        let facts = self.connect(to, false)?;
        // A reusable session is not kept either.
        let reusable = facts.protocol == tls_resume::Protocol::Tls12;
        self.stock = if reusable {
            0
        } else {
            self.stock.saturating_sub(1)
        };
        Ok(facts)
    }

    /// Offers one of the sessions at an address, after a handshake if there is none left.
    fn offer_one(&mut self, to: SocketAddr) -> Result<Facts, Failed> {
        if self.stock == 0 {
            self.fill()?;
        }
        self.offer(to)
    }

    /// Asks the address by itself, beginning with nothing.
    fn ask_itself(&mut self) -> Result<Facts, Failed> {
        self.empty();
        self.fill()?;
        self.fill()
    }

    fn empty(&mut self) {
        self.client.clear();
        self.stock = 0;
    }

    fn connect(&self, to: SocketAddr, keep: bool) -> Result<Facts, Failed> {
        let mut reached = self.route.reach_at(to)?;
        self.route.handshake(self.client, &mut reached, keep)
    }

    fn row(&self, to: SocketAddr, asked: Result<Facts, Failed>) -> AddressRow {
        let (facts, failed) = match asked {
            Ok(facts) => (Some(facts), None),
            Err(failed) => (None, Some(failed)),
        };
        AddressRow {
            backend: self.backend,
            from: self.address.ip().to_string(),
            to: to.ip().to_string(),
            offered: facts.as_ref().is_some_and(|facts| facts.offered),
            resumed: facts.as_ref().is_some_and(|facts| facts.resumed),
            protocol: facts.map(|facts| facts.protocol.to_string()),
            failure: failed.as_ref().map(|failed| failed.failure),
            error: failed.map(|failed| failed.why),
        }
    }
}

/// Whether a session was offered and declined.
fn is_declined(asked: &Result<Facts, Failed>) -> bool {
    asked
        .as_ref()
        .is_ok_and(|facts| facts.offered && !facts.resumed)
}

/// Asks each address by itself, and then, of those that resume, each with the sessions of each
/// other. What is declined is asked once more with a fresh session: a server may decline by chance.
pub(crate) fn addresses(
    client: &dyn Client,
    backend: Backend,
    route: &Route<'_>,
    each: &mut dyn FnMut(&AddressRow) -> io::Result<()>,
) -> io::Result<Vec<AddressRow>> {
    let origin = |address| Origin {
        backend,
        route,
        client,
        address,
        stock: 0,
    };
    let mut rows = Vec::new();
    let mut add = |row: AddressRow| {
        each(&row)?;
        rows.push(row);
        io::Result::Ok(())
    };
    let mut resuming = Vec::new();
    for address in route.addresses().iter().take(MOST_ADDRESSES) {
        let mut origin = origin(*address);
        let mut itself = origin.ask_itself();
        if is_declined(&itself) {
            add(origin.row(*address, itself))?;
            itself = origin.ask_itself();
        }
        if itself.as_ref().is_ok_and(|facts| facts.resumed) {
            resuming.push(*address);
        }
        add(origin.row(*address, itself))?;
    }
    for from in &resuming {
        let mut origin = origin(*from);
        origin.empty();
        for to in resuming.iter().filter(|to| *to != from) {
            let mut offered = origin.offer_one(*to);
            if is_declined(&offered) {
                add(origin.row(*to, offered))?;
                origin.empty();
                offered = origin.offer_one(*to);
            }
            add(origin.row(*to, offered))?;
        }
    }
    Ok(rows)
}

/// Offers sessions of one handshake each where they come from. Nothing if a handshake fails.
pub(crate) fn again(
    client: &dyn Client,
    backend: Backend,
    route: &Route<'_>,
    address: SocketAddr,
) -> Option<AgainRow> {
    let mut origin = Origin {
        backend,
        route,
        client,
        address,
        stock: 0,
    };
    let mut row = AgainRow {
        backend,
        offered: 0,
        resumed: 0,
    };
    for round in 0..ROUNDS {
        origin.empty();
        let handshake = origin.fill().ok()?;
        // Without a session, and without keeping one: it only takes a turn.
        let kept = origin.stock;
        let other = crate::client::client(backend, route.options(), crate::client::Keeps::Alone);
        let other = other.ok()?;
        for _ in 0..round {
            let mut reached = route.reach_at(origin.address).ok()?;
            route.handshake(other.as_ref(), &mut reached, false).ok()?;
        }
        for _ in 0..kept.min(2) {
            let facts = origin.offer(origin.address).ok()?;
            row.offered += usize::from(facts.offered);
            row.resumed += usize::from(facts.resumed);
            if handshake.protocol == tls_resume::Protocol::Tls12 {
                break;
            }
        }
    }
    Some(row)
}
