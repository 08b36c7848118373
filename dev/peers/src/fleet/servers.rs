//! TLS servers, as far as tickets go.

use std::time::Duration;

use store_core::{Encoded, Entry, KeyRef, Portable, SecurityDomain, SessionKey, Storable};
use store_core::{Timestamp, Usage};

use super::scenario::{Addresses, Scenario, Tickets};

/// The lifetime of tickets: OpenSSL's default.
const LIFETIME: Duration = Duration::from_secs(7_200);

/// A ticket: its number, and the ticket key that it is sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    number: u64,
    address: u32,
}

impl Storable for Ticket {
    fn duplicate(&self) -> Option<Self> {
        Some(*self)
    }
}

impl Portable for Ticket {
    const FORMAT: u32 = u32::from_be_bytes(*b"sim ");

    fn encode(&self) -> Option<Encoded> {
        let session = [&self.number.to_be_bytes()[..], &self.address.to_be_bytes()].concat();
        Some(Encoded {
            facts: Vec::new(),
            session: session.into(),
        })
    }

    fn decode(encoded: &Encoded, _: Usage) -> Option<(Self, usize)> {
        let (number, address) = encoded.session.split_first_chunk()?;
        let ticket = Self {
            number: u64::from_be_bytes(*number),
            address: u32::from_be_bytes(address.try_into().ok()?),
        };
        Some((ticket, 0))
    }
}

/// All servers.
pub(super) struct Servers {
    tickets: Tickets,
    addresses: Addresses,
    /// The key of each server and address.
    keys: Vec<SessionKey>,
    /// Whether the ticket of each number was offered.
    offered: Vec<bool>,
    /// Tickets that were offered again, though they are for single use.
    pub(super) used_twice: u64,
}

impl Servers {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let domain = SecurityDomain::builder("fleet").finish();
        let addresses = scenario.addresses.count();
        let numbers = (0..scenario.servers * addresses).map(|at| (at / addresses, at % addresses));
        let keys = numbers.map(|(server, address)| {
            let host = format!("server-{server}.example");
            let endpoint = address.to_string();
            let key = KeyRef::new(&domain, &host).with_port(443);
            match scenario.addresses {
                Addresses::Named(_) => key.with_endpoint(endpoint.as_bytes()).to_key(),
                _ => key.to_key(),
            }
        });
        Self {
            tickets: scenario.tickets,
            addresses: scenario.addresses,
            keys: keys.collect(),
            offered: Vec::new(),
            used_twice: 0,
        }
    }

    /// The key under which clients store sessions of this machine of a server.
    pub(super) fn key(&self, server: usize, address: usize) -> &SessionKey {
        &self.keys[server * self.addresses.count() + address]
    }

    /// Whether this machine of a server resumes the session of a ticket.
    pub(super) fn accepts(&mut self, ticket: Ticket, address: usize) -> bool {
        let offered = usize::try_from(ticket.number).ok();
        let offered = offered.and_then(|number| self.offered.get_mut(number));
        let was_offered = offered.is_none_or(|offered| std::mem::replace(offered, true));
        if was_offered && !self.tickets.reuse {
            self.used_twice += 1;
            return false;
        }
        ticket.address as usize == address
    }

    /// The tickets after a handshake, of a session that was established at this time.
    pub(super) fn issue(
        &mut self,
        resumed: bool,
        address: usize,
        established: Timestamp,
        now: Timestamp,
    ) -> Vec<Entry<Ticket>> {
        let Tickets {
            after_full,
            after_resumed,
            reuse,
        } = self.tickets;
        let count = if resumed { after_resumed } else { after_full };
        let usage = if reuse {
            Usage::Reusable
        } else {
            Usage::SingleUse
        };
        let issue = |_| {
            self.offered.push(false);
            let ticket = Ticket {
                number: self.offered.len() as u64 - 1,
                address: u32::try_from(address).unwrap_or(u32::MAX),
            };
            Entry::new(ticket, usage, Some(LIFETIME), 0, now).established_at(established)
        };
        (0..count).map(issue).collect()
    }
}
