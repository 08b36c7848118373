//! Real tickets, by real handshakes.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

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

/// Whose tickets they are. A store is told another name: a ticket does not say its server's.
const NAME: &str = "mint.example";
/// Tickets that the server sends after one handshake: more than fit into 64 KiB are refused.
const A_HANDSHAKE: usize = 200;

/// Makes tickets of TLS 1.3, each with the server's whole chain in it, as rustls keeps it.
pub struct Mint {
    server: Server,
    config: Arc<ClientConfig>,
    basket: Arc<Basket>,
}

impl Mint {
    /// A server, and a client that trusts it.
    ///
    /// # Panics
    ///
    /// Panics if rustls refuses settings that are always the same.
    pub fn new() -> Self {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let settings = ServerSettings {
            protocols: vec![Protocol::Tls13],
            tickets: A_HANDSHAKE,
            ..ServerSettings::new(authority.issue(&[NAME]))
        };
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.root_der()).expect("the root is sound");
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
                .build()
                .expect("there is a root");
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .expect("the provider has suites of TLS 1.3")
            .with_webpki_verifier(verifier)
            .with_no_client_auth();
        let basket = Arc::new(Basket::default());
        config.resumption = Resumption::store(basket.clone());
        Self {
            server: Server::new(Library::Rustls, &settings),
            config: config.into(),
            basket,
        }
    }

    /// So many tickets, of as many handshakes as it takes.
    ///
    /// # Panics
    ///
    /// Panics if a handshake fails.
    pub fn draw(&self, tickets: usize) -> Vec<Tls13ClientSessionValue> {
        while self.basket.len() < tickets {
            self.handshake().expect("the server is sound");
        }
        self.basket.draw(tickets)
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

impl Default for Mint {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mint").finish_non_exhaustive()
    }
}

/// A store that offers nothing and keeps what it is given until it is drawn.
#[derive(Default)]
struct Basket(Mutex<Vec<Tls13ClientSessionValue>>);

impl Basket {
    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn draw(&self, tickets: usize) -> Vec<Tls13ClientSessionValue> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all.len().saturating_sub(tickets);
        all.split_off(kept)
    }
}

impl fmt::Debug for Basket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Basket").finish_non_exhaustive()
    }
}

impl ClientSessionStore for Basket {
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
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}
