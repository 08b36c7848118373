//! The client on OpenSSL.

mod context;
mod custom;
mod der;
mod detachable;
mod hyper_openssl;
mod in_hand;
mod offer;
mod session_source;
mod tls_resume;

use std::error::Error;

use backend_openssl::{PeerCertificate, negotiated_group};
use lab::transport::InMemory;
use openssl::ssl::{self, ErrorCode, SslCipherRef, SslStream};
use pki_types::CertificateDer;

use self::custom::Custom;
use self::der::Der;
use self::detachable::Detachable;
use self::hyper_openssl::HyperOpenssl;
use self::in_hand::InHand;
use self::session_source::{NoSessions, SessionSource};
use self::tls_resume::TlsResume;
use super::scenario::{End, Scenario};
use super::store::Store;
use super::timer::Timer;
use super::tls_client::{Completed, HandshakeError, PendingHandshake, TlsClient};

/// A client; its context is built once.
pub(super) struct OpenSslClient {
    sessions: Box<dyn SessionSource>,
    end: End,
}

impl OpenSslClient {
    pub(super) fn new(
        scenario: Scenario,
        root: &CertificateDer<'static>,
        store: &Store,
    ) -> Result<Self, HandshakeError> {
        Self::build(scenario, root, store).map_err(HandshakeError::client)
    }

    fn build(
        scenario: Scenario,
        root: &CertificateDer<'static>,
        store: &Store,
    ) -> Result<Self, Box<dyn Error>> {
        let builder = || context::builder(scenario, root);
        let sessions: Box<dyn SessionSource> = match store {
            Store::None => Box::new(NoSessions::new(builder()?)),
            Store::InHand => Box::new(InHand::new(builder()?)),
            Store::Der => Box::new(Der::new(builder()?)),
            Store::HyperOpenssl => Box::new(HyperOpenssl::new(builder()?)?),
            Store::TlsResume => Box::new(TlsResume::new(builder()?, PeerCertificate::Keep)?),
            Store::TlsResumeStrip => Box::new(TlsResume::new(builder()?, PeerCertificate::Strip)?),
            Store::Custom(custom) => {
                let store = custom.make_openssl();
                let store = store.ok_or("the store is not for OpenSSL")?;
                Box::new(Custom::new(builder()?, store))
            }
            Store::RustlsMemory | Store::TlsResumeShared => {
                return Err(format!("OpenSSL has no store {store}").into());
            }
        };
        Ok(Self {
            sessions,
            end: scenario.end,
        })
    }
}

impl TlsClient for OpenSslClient {
    fn start(&self, transport: InMemory) -> Result<Box<dyn PendingHandshake + '_>, HandshakeError> {
        let handshake = Handshake::start(&*self.sessions, self.end, transport);
        Ok(Box::new(handshake.map_err(HandshakeError::client)?))
    }
}

struct Handshake<'a> {
    timer: Timer,
    sessions: &'a dyn SessionSource,
    stream: SslStream<Detachable>,
    end: End,
}

impl<'a> Handshake<'a> {
    fn start(
        sessions: &'a dyn SessionSource,
        end: End,
        transport: InMemory,
    ) -> Result<Self, Box<dyn Error>> {
        let timer = Timer::start(&transport);
        let ssl = sessions.connection()?;
        let mut stream = SslStream::new(ssl, Detachable::new(transport))?;
        match stream.connect() {
            Err(error) if !is_want_read(&error) => return Err(error.into()),
            _ => {}
        }
        Ok(Self {
            timer,
            sessions,
            stream,
            end,
        })
    }

    fn run(mut self) -> Result<Completed, Box<dyn Error>> {
        self.stream.connect()?; // returns at once unless the transport was held
        self.sessions.connected(self.stream.ssl());
        // Reads the tickets that follow the handshake; there is no data.
        match self.stream.ssl_read(&mut [0]) {
            Err(error) if is_want_read(&error) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Err("the server sent unexpected data".into()),
        }
        self.sessions.handshake_done(self.stream.ssl())?;
        let reading = self.timer.stop(self.stream.get_mut().transport());

        let ssl = self.stream.ssl();
        let resumed = ssl.session_reused();
        let group = negotiated_group(ssl);
        let cipher = ssl
            .current_cipher()
            .and_then(SslCipherRef::standard_name)
            .unwrap_or_default()
            .to_owned();
        let timer = Timer::start(self.stream.get_mut().transport());
        if self.end == End::CloseNotify {
            self.stream.shutdown()?;
            self.sessions.closed(self.stream.ssl());
        }
        // Dropping the server's end is not the client's work.
        let mut transport = self.stream.get_mut().detach();
        drop(self.stream);
        let rest = timer.stop(&transport);
        Ok(Completed {
            whole: reading.client + rest.client,
            reading,
            resumed,
            cipher,
            group,
            server: transport.server().facts(),
        })
    }
}

impl PendingHandshake for Handshake<'_> {
    fn transport(&mut self) -> &mut InMemory {
        self.stream.get_mut().transport()
    }

    fn finish(self: Box<Self>) -> Result<Completed, HandshakeError> {
        self.run().map_err(HandshakeError::client)
    }
}

fn is_want_read(error: &ssl::Error) -> bool {
    error.code() == ErrorCode::WANT_READ
}
