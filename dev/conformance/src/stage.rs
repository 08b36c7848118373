//! What a claim is checked on: a server, a client, and a clock that stands still.

use std::fmt::{Debug, Display};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lab::certificate::{Authority, Identity, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use tls_resume::pki_types::CertificateDer;
use tls_resume::{Clock, Limits, ManualClock, Resumption, SystemClock};

use crate::Checked;
use crate::client::{Client, Connection, Failure, Setup};
use crate::wire::{Incident, Wire};

/// The names that the server's certificate is for.
pub(crate) const HOST: &str = "one.test";
pub(crate) const OTHER_HOST: &str = "other.test";
pub(crate) const PORT: u16 = 443;

/// Both versions of TLS, for claims that hold in both.
pub(crate) const PROTOCOLS: [Protocol; 2] = [Protocol::Tls12, Protocol::Tls13];

/// A server in this process, and a client that trusts it.
pub(crate) struct Stage<C> {
    pub(crate) client: C,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) server: Server,
}

impl<C: Client> Stage<C> {
    /// A stage for one version of TLS, with all defaults.
    pub(crate) fn new(protocol: Protocol) -> Result<Self, String> {
        Self::with(protocol, |_| {}, |_| {})
    }

    /// The same within other limits.
    pub(crate) fn within(protocol: Protocol, limits: Limits) -> Result<Self, String> {
        Self::with(protocol, |_| {}, |setup| setup.limits = limits)
    }

    /// The same with other settings on either side.
    pub(crate) fn with(
        protocol: Protocol,
        serve: impl FnOnce(&mut ServerSettings),
        connect: impl FnOnce(&mut Setup),
    ) -> Result<Self, String> {
        Self::against(Library::OpenSsl, protocol, serve, connect)
    }

    /// A server of rustls, which renews its ticket in every TLS 1.2 handshake.
    pub(crate) fn renewing(protocol: Protocol, limits: Limits) -> Result<Self, String> {
        let limit = |setup: &mut Setup| setup.limits = limits;
        Self::against(Library::Rustls, protocol, |_| {}, limit)
    }

    fn against(
        library: Library,
        protocol: Protocol,
        serve: impl FnOnce(&mut ServerSettings),
        connect: impl FnOnce(&mut Setup),
    ) -> Result<Self, String> {
        let mut settings = ServerSettings::new(identity());
        settings.protocols = vec![protocol];
        serve(&mut settings);
        let mut setup = setup();
        // Certificates have real dates, so the clock starts at the real time.
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        setup.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        connect(&mut setup);
        Ok(Self {
            client: C::new(setup)?,
            clock,
            server: Server::new(library, &settings),
        })
    }

    /// A way to the server.
    pub(crate) fn wire(&self) -> Wire {
        Wire::new(&self.server, Incident::None)
    }

    /// Makes a handshake and leaves the connection open, its tickets unread.
    pub(crate) fn open(&self, host: &str, port: u16) -> Result<C::Connection, Failure> {
        self.client.connect(host, port, self.wire())
    }

    /// Makes a handshake with a server, reads the tickets, and closes properly.
    pub(crate) fn visit_at(&self, host: &str, port: u16) -> Result<Visit, String> {
        let mut connection = self.open(host, port).map_err(said)?;
        connection.read_tickets()?;
        let visit = seen(&mut connection)?;
        connection.close()?;
        Ok(visit)
    }

    /// The same with the usual server.
    pub(crate) fn visit(&self) -> Result<Visit, String> {
        self.visit_at(HOST, PORT)
    }

    /// Makes a handshake with early data, and leaves the connection open, its tickets unread; how
    /// much was accepted by the client's word. The server's must be the same.
    pub(crate) fn open_early(
        &self,
        host: &str,
        port: u16,
        data: &[u8],
    ) -> Result<(C::Connection, Visit, usize), String> {
        let opened = self.client.connect_early(host, port, self.wire(), data);
        let (mut connection, accepted) = opened.map_err(said)?;
        let visit = seen(&mut connection)?;
        let came = connection.wire().server_early_data();
        let what = "early data that came, by the server's word";
        equal(&came.as_deref(), &data.get(..accepted), what)?;
        Ok((connection, visit, accepted))
    }

    /// A handshake to which something happens that it cannot survive.
    pub(crate) fn visit_in_vain(&self, after_hello: Incident) -> Checked {
        let wire = Wire::new(&self.server, after_hello);
        match self.client.connect(HOST, PORT, wire) {
            Ok(_) => Err("a handshake succeeded over a wire that was cut".into()),
            Err(_) => Ok(()),
        }
    }

    pub(crate) fn later(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(crate) fn sessions(&self) -> u64 {
        self.client.stats().sessions
    }
}

/// What was seen of one connection, on both ends.
pub(crate) struct Visit {
    pub(crate) resumption: Resumption,
    /// The ticket or session id that the server was offered.
    pub(crate) ticket: Option<Vec<u8>>,
    /// Whether the client sent data before the handshake was done.
    pub(crate) early_data: bool,
}

impl Visit {
    pub(crate) fn is(&self, expected: Resumption, when: &str) -> Checked {
        equal(&self.resumption, &expected, when)
    }
}

/// What both ends say of a handshake, which must be the same.
pub(crate) fn seen(connection: &mut impl Connection) -> Result<Visit, String> {
    let resumption = connection.resumption();
    let Some(by_server) = connection.wire().server_facts() else {
        return Err("the server has seen no handshake".into());
    };
    let resumed = resumption == Resumption::Resumed;
    equal(
        &resumed,
        &by_server.resumed,
        "whether the handshake was resumed, by the server's word",
    )?;
    Ok(Visit {
        resumption,
        ticket: by_server.ticket,
        early_data: by_server.early_data,
    })
}

/// Claims that something is as expected, and says what it is if not.
pub(crate) fn equal<T: PartialEq + Debug>(seen: &T, expected: &T, what: &str) -> Checked {
    if seen == expected {
        return Ok(());
    }
    Err(format!("{what}: {expected:?} expected, {seen:?} seen"))
}

/// Claims that something is so, and says what was claimed if not.
pub(crate) fn holds(so: bool, what: &str) -> Checked {
    so.then_some(()).ok_or_else(|| what.to_owned())
}

/// An error in its own words.
pub(crate) fn said(error: impl Display) -> String {
    error.to_string()
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Certificate => f.write_str("the certificate is refused"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// What a client is told if a claim says nothing else.
pub(crate) fn setup() -> Setup {
    Setup {
        roots: vec![authority().root_der()],
        identity: None,
        alpn: Vec::new(),
        protocols: vec![Protocol::Tls12, Protocol::Tls13],
        limits: Limits::default(),
        domain: String::new(),
        never_resume: Vec::new(),
        early_data: false,
        clock: Arc::new(SystemClock),
        store: None,
    }
}

/// A root that signed nothing here.
pub(crate) fn foreign_root() -> CertificateDer<'static> {
    static FOREIGN: OnceLock<Authority> = OnceLock::new();
    FOREIGN
        .get_or_init(|| Authority::new(KeyKind::EcdsaP256))
        .root_der()
}

/// What a client can prove itself with.
pub(crate) fn client_identity(name: &str) -> Identity {
    authority().issue_client(name)
}

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyKind::EcdsaP256))
}

/// What servers prove themselves with.
pub(crate) fn identity() -> Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    let issue = || authority().issue(&[HOST, OTHER_HOST]);
    IDENTITY.get_or_init(issue).clone()
}
