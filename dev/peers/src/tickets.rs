//! rustls tickets from handshakes with a local server.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::transport::InMemory;
use pki_types::ServerName;
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
    WebPkiServerVerifier,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, ClientConnection, NamedGroup, RootCertStore, version};

/// The server's name. Tickets do not contain it, so that they can be stored under any name.
const NAME: &str = "tickets.example";
/// Tickets per handshake. rustls refuses more than fit into 64 KiB.
const TICKETS_PER_HANDSHAKE: usize = 200;

/// Creates TLS 1.3 tickets that contain the server's certificate chain, as rustls keeps them.
pub struct TicketSource {
    server: Server,
    config: Arc<ClientConfig>,
    collector: Arc<Collector>,
}

impl TicketSource {
    /// Creates a server, and a client that trusts it.
    ///
    /// # Panics
    ///
    /// Panics if rustls rejects the built-in settings.
    pub fn new() -> Self {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let settings = ServerSettings {
            protocols: vec![Protocol::Tls13],
            tickets: TICKETS_PER_HANDSHAKE,
            ..ServerSettings::new(authority.issue(&[NAME]))
        };
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.root_der()).expect("the root is valid");
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
                .build()
                .expect("there is a root");
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .expect("the provider has suites of TLS 1.3")
            .with_webpki_verifier(verifier)
            .with_no_client_auth();
        let collector = Arc::new(Collector::default());
        config.resumption = Resumption::store(collector.clone());
        Self {
            server: Server::new(Library::Rustls, &settings),
            config: config.into(),
            collector,
        }
    }

    /// Returns `tickets` tickets, after as many handshakes as needed.
    ///
    /// # Panics
    ///
    /// Panics if a handshake fails.
    pub fn take(&self, tickets: usize) -> Vec<Tls13ClientSessionValue> {
        while self.collector.len() < tickets {
            self.handshake().expect("the handshake succeeds");
        }
        self.collector.take(tickets)
    }

    fn handshake(&self) -> Result<(), Box<dyn std::error::Error>> {
        let mut transport = InMemory::new(&self.server);
        let name = ServerName::try_from(NAME)?;
        let mut tls = ClientConnection::new(Arc::clone(&self.config), name)?;
        loop {
            while tls.wants_write() {
                tls.write_tls(&mut transport)?;
            }
            match tls.read_tls(&mut transport as &mut dyn Read) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(_) => {
                    tls.process_new_packets()?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        tls.send_close_notify();
        tls.write_tls(&mut transport as &mut dyn Write)?;
        Ok(())
    }
}

impl Default for TicketSource {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TicketSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketSource").finish_non_exhaustive()
    }
}

/// A store that collects tickets and offers none.
#[derive(Default)]
struct Collector(Mutex<Vec<Tls13ClientSessionValue>>);

impl Collector {
    fn lock(&self) -> MutexGuard<'_, Vec<Tls13ClientSessionValue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn take(&self, tickets: usize) -> Vec<Tls13ClientSessionValue> {
        let mut all = self.lock();
        let kept = all.len().saturating_sub(tickets);
        all.split_off(kept)
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

impl ClientSessionStore for Collector {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.lock().push(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}
