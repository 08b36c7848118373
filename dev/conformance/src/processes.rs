//! What a claim about processes is checked on: a server in this one, a place to share sessions in,
//! and children that connect and share.

mod offspring;
mod place;
mod writer;

use std::collections::HashSet;
use std::marker::PhantomData;
use std::time::Duration;

use lab::server::{Handshake, Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;

use crate::Checked;
use crate::child::{Launcher, Task, Told};
use crate::client::Client;
use crate::stage::{Stage, holds, identity, said, setup};

pub(crate) use self::offspring::Offspring;
pub(crate) use self::place::Place;
pub(crate) use self::writer::Writer;

/// The name of the children's security domain.
pub(crate) const DOMAIN: &str = "a domain to look for";

/// Nothing takes as long; what does is a child that hangs, and a failure.
const LONGEST: Duration = Duration::from_secs(60);

/// A server, a place, and how children of a client are started.
pub(crate) struct Processes<'l, C> {
    pub(crate) place: Place,
    pub(crate) server: TcpServer,
    launcher: &'l Launcher,
    client: PhantomData<C>,
}

impl<'l, C: Client> Processes<'l, C> {
    /// Processes that share a file, and a server of this version with so many tickets a connection.
    pub(crate) fn new(
        launcher: &'l Launcher,
        protocol: Protocol,
        tickets: usize,
    ) -> Result<Self, String> {
        Self::sharing(Place::lmdb()?, launcher, protocol, tickets)
    }

    /// The same with a place of the caller's.
    pub(crate) fn sharing(
        place: Place,
        launcher: &'l Launcher,
        protocol: Protocol,
        tickets: usize,
    ) -> Result<Self, String> {
        let mut settings = ServerSettings::new(identity());
        settings.protocols = vec![protocol];
        settings.tickets = tickets;
        let server = Server::new(Library::OpenSsl, &settings);
        Ok(Self {
            place,
            server: TcpServer::start(server).map_err(said)?,
            launcher,
            client: PhantomData,
        })
    }

    /// A client in this process that shares with the children: of the same configuration, with the
    /// same server behind another wire.
    pub(crate) fn stage(&self) -> Result<Stage<C>, String> {
        let mut stage = Stage::with(
            Protocol::Tls13,
            |_| {},
            |setup| {
                setup.domain = DOMAIN.into();
                setup.store = Some(self.place.store());
            },
        )?;
        stage.server = self.server.server().clone();
        Ok(stage)
    }

    /// Task for so many connections that read their tickets.
    pub(crate) fn task(&self, connections: usize) -> Result<Task, String> {
        Ok(Task {
            client: C::name_for_child()?,
            server: self.server.address(),
            roots: setup().roots.iter().map(|root| root.to_vec()).collect(),
            domain: DOMAIN.to_owned(),
            store: self.place.store(),
            only_write: false,
            connections,
            read_tickets: true,
            pause: Duration::ZERO,
        })
    }

    /// Task for so many connections each of which must have a session fetched, for they read no
    /// tickets.
    pub(crate) fn hungry(&self, connections: usize) -> Result<Task, String> {
        Ok(Task {
            read_tickets: false,
            ..self.task(connections)?
        })
    }

    /// Starts a child.
    pub(crate) fn start(&self, task: &Task) -> Result<Offspring, String> {
        Offspring::start(self.launcher, task)
    }

    /// A child from its start to its end, and what it told.
    pub(crate) fn run(&self, task: &Task) -> Result<Vec<Told>, String> {
        self.start(task)?.finish()
    }

    /// Fills the place with the sessions that one full handshake brings.
    pub(crate) fn fill(&self) -> Checked {
        self.run(&self.task(1)?).map(drop)
    }

    /// What the server says of its handshakes until now, that many at least.
    pub(crate) fn handshakes(&self, at_least: usize) -> Result<Vec<Handshake>, String> {
        let seen = self.server.wait_for_handshakes(at_least, LONGEST);
        let what = format!("{at_least} handshakes at the server, {} seen", seen.len());
        holds(seen.len() >= at_least, &what)?;
        Ok(seen)
    }

    /// Claims that no two handshakes offered the server the same ticket.
    pub(crate) fn no_ticket_twice(&self, handshakes: usize) -> Checked {
        let mut used = HashSet::new();
        for ticket in tickets(&self.handshakes(handshakes)?) {
            holds(used.insert(ticket), "no ticket is offered twice")?;
        }
        Ok(())
    }
}

/// The tickets that handshakes offered.
pub(crate) fn tickets(handshakes: &[Handshake]) -> Vec<Vec<u8>> {
    let tickets = handshakes.iter().map(|handshake| handshake.ticket.clone());
    tickets.flatten().collect()
}

/// How many of these connections were resumed.
pub(crate) fn resumed(told: &[Told]) -> usize {
    told.iter().filter(|told| told.resumed).count()
}
