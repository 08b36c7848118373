//! What a claim about processes is checked on: a server in this process, a shared tier, and child
//! processes.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::time::Duration;

use lab::server::{Handshake, Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;

use crate::check::{CheckResult, holds, message};
use crate::child::{ChildProcess, ConnectionReport, Launcher, Task};
use crate::client::Client;
use crate::fixture::{Fixture, identity, setup};
use crate::shared_tier::SharedTier;

/// The name of the children's security domain.
pub(crate) const DOMAIN: &str = "a domain to look for";

/// How long the server may take to complete the expected handshakes.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A server, a tier, and a launcher of children with clients of type `C`.
pub(crate) struct ProcessFixture<'l, C> {
    pub(crate) tier: SharedTier,
    pub(crate) server: TcpServer,
    launcher: &'l Launcher,
    client: PhantomData<C>,
}

impl<'l, C: Client> ProcessFixture<'l, C> {
    /// A server of one version that sends this many tickets, and an LMDB tier.
    pub(crate) fn new(
        launcher: &'l Launcher,
        protocol: Protocol,
        tickets: usize,
    ) -> Result<Self, String> {
        Self::with_tier(SharedTier::lmdb()?, launcher, protocol, tickets)
    }

    /// As [`new`](Self::new), with this tier.
    pub(crate) fn with_tier(
        tier: SharedTier,
        launcher: &'l Launcher,
        protocol: Protocol,
        tickets: usize,
    ) -> Result<Self, String> {
        Self::with(tier, launcher, protocol, |server| server.tickets = tickets)
    }

    /// A server of one version, with changed settings, and this tier.
    pub(crate) fn with(
        tier: SharedTier,
        launcher: &'l Launcher,
        protocol: Protocol,
        change: impl FnOnce(&mut ServerSettings),
    ) -> Result<Self, String> {
        let mut settings = ServerSettings::new(identity());
        settings.protocols = vec![protocol];
        change(&mut settings);
        let server = Server::new(Library::OpenSsl, &settings);
        Ok(Self {
            tier,
            server: TcpServer::start(server).map_err(message)?,
            launcher,
            client: PhantomData,
        })
    }

    /// A client in this process that shares sessions with the children: of the same configuration,
    /// and with the same server.
    pub(crate) fn in_process(&self) -> Result<Fixture<C>, String> {
        let mut fixture = Fixture::with(
            Protocol::Tls13,
            |_| {},
            |setup| {
                setup.domain = DOMAIN.into();
                setup.store = Some(self.tier.store());
            },
        )?;
        fixture.server = self.server.server().clone();
        Ok(fixture)
    }

    /// A task of this many connections that read their tickets.
    pub(crate) fn task(&self, connections: usize) -> Result<Task, String> {
        Ok(Task {
            client: C::name_for_child()?,
            server: self.server.address(),
            roots: setup().roots.iter().map(|root| root.to_vec()).collect(),
            domain: DOMAIN.to_owned(),
            store: self.tier.store(),
            only_write: false,
            connections,
            read_tickets: true,
            pause: Duration::ZERO,
        })
    }

    /// A task of this many connections that read no tickets, so that each needs a session from the
    /// tier.
    pub(crate) fn fetching_task(&self, connections: usize) -> Result<Task, String> {
        Ok(Task {
            read_tickets: false,
            ..self.task(connections)?
        })
    }

    /// Starts a child.
    pub(crate) fn start(&self, task: &Task) -> Result<ChildProcess, String> {
        ChildProcess::start(self.launcher, task)
    }

    /// Runs a child to its end.
    pub(crate) fn run(&self, task: &Task) -> Result<Vec<ConnectionReport>, String> {
        self.start(task)?.finish()
    }

    /// Fills the tier with the sessions of one full handshake.
    pub(crate) fn fill(&self) -> CheckResult {
        self.run(&self.task(1)?).map(drop)
    }

    /// Waits for this many handshakes, and returns all that the server has completed.
    pub(crate) fn handshakes(&self, at_least: usize) -> Result<Vec<Handshake>, String> {
        let completed = self.server.wait_for_handshakes(at_least, TIMEOUT);
        let what = format!(
            "{at_least} handshakes at the server, {} seen",
            completed.len()
        );
        holds(completed.len() >= at_least, &what)?;
        Ok(completed)
    }

    /// Checks that no two of this many handshakes offered the same ticket.
    pub(crate) fn no_ticket_twice(&self, handshakes: usize) -> CheckResult {
        let mut offered = HashSet::new();
        for ticket in tickets(&self.handshakes(handshakes)?) {
            holds(offered.insert(ticket), "no ticket is offered twice")?;
        }
        Ok(())
    }
}

/// The tickets that clients offered.
pub(crate) fn tickets(handshakes: &[Handshake]) -> Vec<Vec<u8>> {
    let tickets = handshakes.iter().map(|handshake| handshake.ticket.clone());
    tickets.flatten().collect()
}

/// How many of these connections were resumed.
pub(crate) fn resumed(reports: &[ConnectionReport]) -> usize {
    reports.iter().filter(|report| report.resumed).count()
}
