//! A server in this process, and clients that connect to it.

use std::fmt;
use std::time::Duration;

use lab::certificate::Authority;
use lab::server::{Handshake, Library, Protocol, Server, ServerSettings};
use lab::transport::InMemory;
use pki_types::CertificateDer;

use super::openssl::OpenSslClient;
use super::rustls::RustlsClient;
use super::scenario::{End, Scenario};
use super::store::Store;
use super::tls_client::{Completed, HandshakeError, SERVER_NAME, TlsClient, group_id};

/// Tickets after each handshake, full or resumed, unless set otherwise. With one, stores neither
/// grow nor run empty, and the servers of both libraries send the same.
pub const TICKETS: usize = 1;

/// A server, and the root that its clients trust.
#[derive(Clone, Debug)]
pub struct Fixture {
    scenario: Scenario,
    server: Server,
    root: CertificateDer<'static>,
}

impl Fixture {
    /// A server for a possible scenario. `authority` has keys of the scenario's kind.
    pub fn new(scenario: Scenario, authority: &Authority) -> Self {
        Self::with_tickets(scenario, authority, TICKETS)
    }

    /// A server that sends `tickets` after a full handshake. After a resumed one, rustls sends as
    /// many again, OpenSSL one.
    pub fn with_tickets(scenario: Scenario, authority: &Authority, tickets: usize) -> Self {
        let settings = ServerSettings {
            protocols: vec![scenario.protocol],
            groups: scenario.groups.accepted(),
            tickets,
            ..ServerSettings::new(authority.issue(&[SERVER_NAME]))
        };
        Self {
            scenario,
            server: Server::new(scenario.server, &settings),
            root: authority.root_der(),
        }
    }

    /// The scenario.
    pub fn scenario(&self) -> Scenario {
        self.scenario
    }

    /// A client that has not connected yet.
    pub fn new_client(&self, store: Store) -> Result<Client, HandshakeError> {
        let (scenario, root) = (self.scenario, &self.root);
        let tls: Box<dyn TlsClient> = match scenario.client.library() {
            Library::Rustls => Box::new(RustlsClient::new(scenario, root, &store)?),
            Library::OpenSsl => Box::new(OpenSslClient::new(scenario, root, &store)?),
        };
        Ok(Client {
            tls,
            server: self.server.clone(),
            scenario,
            store,
        })
    }

    /// A client after its first handshake, a full one that stored sessions.
    pub fn client(&self, store: Store) -> Result<Client, HandshakeError> {
        let client = self.new_client(store)?;
        client.connect(Some(false))?;
        Ok(client)
    }
}

/// A client with one session store. Threads can share it.
pub struct Client {
    tls: Box<dyn TlsClient>,
    server: Server,
    scenario: Scenario,
    store: Store,
}

impl Client {
    /// Makes one handshake. It must be full with [`Store::None`], and resumed with any other store
    /// unless connections end uncleanly, which can spoil their sessions.
    pub fn handshake(&self) -> Result<Sample, HandshakeError> {
        let resumes = self.store.resumes();
        let may_be_either = resumes && self.scenario.end == End::Unclean;
        self.connect((!may_be_either).then_some(resumes))
    }

    /// Makes `connections` handshakes at once: each has looked up its session and sent its
    /// `ClientHello` before the server answers the first. Returns how many the server resumed.
    pub fn burst(&self, connections: usize) -> Result<usize, HandshakeError> {
        let pending: Vec<_> = (0..connections)
            .map(|_| {
                let mut transport = InMemory::new(&self.server);
                transport.hold(true);
                self.tls.start(transport)
            })
            .collect::<Result<_, _>>()?;
        let mut resumed = 0;
        for mut handshake in pending {
            handshake.transport().hold(false);
            let (_, by_server) = self.check(handshake.finish()?)?;
            resumed += usize::from(by_server.resumed);
        }
        Ok(resumed)
    }

    /// Makes one handshake, which must be resumed or full if `resumed` says so.
    fn connect(&self, resumed: Option<bool>) -> Result<Sample, HandshakeError> {
        let transport = InMemory::new(&self.server);
        let completed = self.tls.start(transport)?.finish()?;
        let (completed, by_server) = self.check(completed)?;
        if resumed.is_some_and(|resumed| by_server.resumed != resumed) {
            let resumed = by_server.resumed;
            return Err(HandshakeError::WrongKind { resumed });
        }
        Ok(Sample {
            resumed: by_server.resumed,
            client: completed.reading.client,
            whole: completed.whole,
            server: completed.reading.server,
            bytes_in: completed.reading.bytes_in,
            bytes_out: completed.reading.bytes_out,
            cipher: completed.cipher,
        })
    }

    /// Checks that both sides report the same, and what the scenario asks for.
    fn check(&self, mut completed: Completed) -> Result<(Completed, Handshake), HandshakeError> {
        let by_server = completed.server.take();
        let by_server = by_server.ok_or(HandshakeError::ServerNotDone)?;
        if completed.resumed != by_server.resumed {
            return Err(HandshakeError::Disagreement {
                resumed: by_server.resumed,
            });
        }
        if by_server.protocol != self.scenario.protocol {
            return Err(HandshakeError::Protocol(by_server.protocol));
        }
        // A resumed TLS 1.2 handshake has no key exchange.
        if self.scenario.protocol == Protocol::Tls13 || !completed.resumed {
            let wanted = self.scenario.groups.negotiated();
            if completed.group != Some(group_id(wanted)) {
                return Err(HandshakeError::Group { wanted });
            }
        }
        Ok((completed, by_server))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("scenario", &self.scenario)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// The measurements of one handshake.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Whether it was resumed.
    pub resumed: bool,
    /// The client's time until the tickets are stored.
    pub client: Duration,
    /// The client's time until the connection is gone: with the `close_notify`, if one is sent, and
    /// the drops of the connection and of a pooled configuration.
    pub whole: Duration,
    /// The server's time.
    pub server: Duration,
    /// Bytes that the client received until its timer stopped.
    pub bytes_in: u64,
    /// Bytes that the client sent until its timer stopped.
    pub bytes_out: u64,
    /// The cipher suite, by its IANA name.
    pub cipher: String,
}
