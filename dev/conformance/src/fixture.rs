//! What a claim is checked on: a server, a client, and a manual clock.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use lab::certificate::{Authority, Identity, KeyKind};
use lab::faults::{Fault, FaultyTicketer, FaultyTransport};
use lab::server::{Library, Protocol, Server, ServerSettings};
use tls_resume::pki_types::CertificateDer;
use tls_resume::{Clock, Limits, ManualClock, Resumption, ReuseTickets, SystemClock};

use crate::check::{CheckResult, equal, message};
use crate::client::{Client, Connection, Failure, Options, Setup};
use crate::door::Door;
use crate::wire::Wire;

/// The names in the server's certificate.
pub(crate) const HOST: &str = "one.test";
pub(crate) const OTHER_HOST: &str = "other.test";
/// The one that resolves.
pub(crate) const LOCALHOST: &str = "localhost";
pub(crate) const PORT: u16 = 443;

/// A server in this process, and a client that trusts it.
pub(crate) struct Fixture<C> {
    pub(crate) client: C,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) server: Server,
}

impl<C: Client> Fixture<C> {
    /// A client and a server of one version, with default settings.
    pub(crate) fn new(protocol: Protocol) -> Result<Self, String> {
        Self::with(protocol, |_| {}, |_| {})
    }

    /// As [`new`](Self::new), with these limits.
    pub(crate) fn with_limits(protocol: Protocol, limits: Limits) -> Result<Self, String> {
        Self::with(protocol, |_| {}, |setup| setup.limits = limits)
    }

    /// As [`new`](Self::new), with changed settings of the server and of the client.
    pub(crate) fn with(
        protocol: Protocol,
        change_server: impl FnOnce(&mut ServerSettings),
        change_client: impl FnOnce(&mut Setup),
    ) -> Result<Self, String> {
        Self::on(Library::OpenSsl, protocol, change_server, change_client)
    }

    /// As [`with_limits`](Self::with_limits), with a rustls server: it renews the ticket in every
    /// resumed handshake, in TLS 1.2, too.
    pub(crate) fn with_renewals(protocol: Protocol, limits: Limits) -> Result<Self, String> {
        let limit = |setup: &mut Setup| setup.limits = limits;
        Self::on(Library::Rustls, protocol, |_| {}, limit)
    }

    /// As [`new`](Self::new), with a rustls server that sends one of these tickets a connection.
    pub(crate) fn with_tickets(
        protocol: Protocol,
        tickets: FaultyTicketer,
    ) -> Result<Self, String> {
        let faulty = |server: &mut ServerSettings| {
            server.tickets = 1;
            server.rustls.ticketer = Some(Arc::new(tickets));
        };
        Self::on(Library::Rustls, protocol, faulty, |_| {})
    }

    fn on(
        library: Library,
        protocol: Protocol,
        change_server: impl FnOnce(&mut ServerSettings),
        change_client: impl FnOnce(&mut Setup),
    ) -> Result<Self, String> {
        let mut settings = ServerSettings::new(identity());
        settings.protocols = vec![protocol];
        change_server(&mut settings);
        let mut setup = setup();
        // The real time, for which the certificates are valid.
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        setup.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        change_client(&mut setup);
        Ok(Self {
            client: C::new(setup)?,
            clock,
            server: Server::new(library, &settings),
        })
    }

    /// A new connection to the server.
    pub(crate) fn wire(&self) -> Wire {
        Wire::new(FaultyTransport::new(&self.server, Fault::None))
    }

    /// Makes a handshake, and leaves the connection open and its tickets unread.
    pub(crate) fn open(&self, host: &str, port: u16) -> Result<C::Connection, Failure> {
        self.client.connect(host, port, self.wire())
    }

    /// Makes a handshake, reads the tickets, and closes the connection.
    pub(crate) fn visit_at(&self, host: &str, port: u16) -> Result<Visit, String> {
        let mut connection = self.open(host, port).map_err(message)?;
        connection.read_tickets()?;
        let visit = observe(&mut connection)?;
        connection.close()?;
        Ok(visit)
    }

    /// As [`visit_at`](Self::visit_at), for [`HOST`] and [`PORT`].
    pub(crate) fn visit(&self) -> Result<Visit, String> {
        self.visit_at(HOST, PORT)
    }

    /// As [`visit_at`](Self::visit_at), with these options.
    pub(crate) fn visit_with(&self, port: u16, options: &Options) -> Result<Visit, String> {
        let opened = self.client.connect_with(HOST, port, self.wire(), options);
        let mut connection = opened.map_err(message)?;
        connection.read_tickets()?;
        let visit = observe(&mut connection)?;
        connection.close()?;
        Ok(visit)
    }

    /// Makes a handshake with early data, and leaves the connection open and its tickets unread.
    /// Returns how many bytes were accepted, on which client and server have to agree.
    pub(crate) fn open_early(
        &self,
        host: &str,
        port: u16,
        data: &[u8],
    ) -> Result<(C::Connection, Visit, usize), String> {
        let opened = self.client.connect_early(host, port, self.wire(), data);
        let (mut connection, accepted) = opened.map_err(message)?;
        let visit = observe(&mut connection)?;
        let received = connection.wire().server_early_data();
        let what = "early data that the server accepted";
        equal(&received.as_deref(), &data.get(..accepted), what)?;
        Ok((connection, visit, accepted))
    }

    /// Makes a whole connection through a door, and waits until the next one may begin. Returns
    /// whether a session was resumed.
    pub(crate) fn visit_through(&self, door: Door, fault: Fault) -> Result<bool, Failure> {
        let wire = Wire::new(FaultyTransport::on_resumption(&self.server, fault));
        let visit = self.client.visit_through(door, HOST, PORT, Some(wire));
        self.advance(door.pause());
        visit
    }

    /// Starts a handshake, which a cut connection makes fail.
    pub(crate) fn cut_handshake(&self) -> CheckResult {
        self.cut_handshake_after(|| {})
    }

    /// As [`cut_handshake`](Self::cut_handshake), with a call before the cut.
    pub(crate) fn cut_handshake_after(&self, call: impl FnOnce() + Send + 'static) -> CheckResult {
        let transport = FaultyTransport::new(&self.server, Fault::CloseAfterClientHello);
        let wire = Wire::new(transport).calling(call);
        match self.client.connect(HOST, PORT, wire) {
            Ok(_) => Err("a handshake succeeded over a connection that was cut".into()),
            Err(_) => Ok(()),
        }
    }

    /// Advances the clock.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// How many sessions the store has.
    pub(crate) fn sessions(&self) -> u64 {
        self.client.stats().sessions
    }
}

/// A handshake, as both ends report it.
pub(crate) struct Visit {
    pub(crate) resumption: Resumption,
    /// The ticket or session id that the client offered.
    pub(crate) ticket: Option<Vec<u8>>,
    /// Whether the server accepted early data.
    pub(crate) early_data: bool,
    /// The groups in the client's first message.
    pub(crate) groups: Vec<u16>,
    /// Those with a key share.
    pub(crate) key_shares: Vec<u16>,
}

impl Visit {
    /// Checks that it was resumed, declined or full.
    pub(crate) fn is(&self, expected: Resumption, when: &str) -> CheckResult {
        equal(&self.resumption, &expected, when)
    }
}

/// Observes a handshake on both ends, which have to agree.
pub(crate) fn observe(connection: &mut impl Connection) -> Result<Visit, String> {
    let resumption = connection.resumption();
    let Some(by_server) = connection.wire().server_facts() else {
        return Err("the server has not completed the handshake".into());
    };
    let resumed = resumption == Resumption::Resumed;
    equal(
        &resumed,
        &by_server.resumed,
        "the client's report of a resumption, against the server's",
    )?;
    Ok(Visit {
        resumption,
        ticket: by_server.ticket,
        early_data: by_server.early_data,
        groups: by_server.groups,
        key_shares: by_server.key_shares,
    })
}

/// The default settings of a client.
pub(crate) fn setup() -> Setup {
    Setup {
        roots: vec![authority().root_der()],
        identity: None,
        alpn: Vec::new(),
        protocols: Protocol::ALL.to_vec(),
        limits: Limits::default(),
        domain: String::new(),
        never_resume: Vec::new(),
        resume_with_client_certificate: true,
        reuse_tickets: ReuseTickets::Never,
        early_data: false,
        clock: Arc::new(SystemClock),
        store: None,
    }
}

/// A root that signed none of the certificates here.
pub(crate) fn foreign_root() -> CertificateDer<'static> {
    static FOREIGN: OnceLock<Authority> = OnceLock::new();
    FOREIGN
        .get_or_init(|| Authority::new(KeyKind::EcdsaP256))
        .root_der()
}

/// A client certificate.
pub(crate) fn client_identity(name: &str) -> Identity {
    authority().issue_client(name)
}

/// A client certificate that expires at `not_after`.
pub(crate) fn client_identity_until(name: &str, not_after: SystemTime) -> Identity {
    authority().issue_client_until(name, not_after)
}

/// The root of client certificates.
pub(crate) fn client_root() -> CertificateDer<'static> {
    authority().root_der()
}

/// A certificate of the server that expires at `not_after`.
pub(crate) fn identity_until(not_after: SystemTime) -> Identity {
    authority().issue_until(&[HOST, OTHER_HOST], not_after)
}

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyKind::EcdsaP256))
}

/// The server's certificate.
pub(crate) fn identity() -> Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    let issue = || authority().issue(&[HOST, OTHER_HOST, LOCALHOST]);
    IDENTITY.get_or_init(issue).clone()
}
