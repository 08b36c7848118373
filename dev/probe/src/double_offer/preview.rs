//! Double offers on the preview of the next rustls.

use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::time::Duration;

use backend_rustls::preview::{Connection as Handle, Sessions, provider};
use pki_types::pem::PemObject;
use pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls_next::crypto::Identity;
use rustls_next::{
    ClientConfig, ClientConnection, Connection as _, HandshakeKind, RootCertStore, VecInput,
};
use store_core::{Encoded, KeyRef, Limits, SecurityDomain, SessionKey};

use super::{DoubleOffer, put, take};
use crate::Options;
use crate::client::tickets_timeout;
use crate::transport::Transport;

pub(super) struct Client {
    config: ClientConfig,
    sessions: Sessions,
    name: ServerName<'static>,
    key: SessionKey,
    timeout: Duration,
}

impl Client {
    /// `None` if rustls rejects the settings, which it accepted for the probe's own connector.
    pub(super) fn new(options: &Options) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        if let Some(file) = &options.ca {
            for root in CertificateDer::pem_file_iter(file).ok()? {
                roots.add(root.ok()?).ok()?;
            }
        } else {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let mut provider = provider();
        let suites = Arc::make_mut(&mut provider);
        suites.tls12_cipher_suites.to_mut().clear();
        let config = ClientConfig::builder(provider).with_root_certificates(roots);
        let config = if let (Some(cert), Some(key)) = (&options.cert, &options.key) {
            let chain = CertificateDer::pem_file_iter(cert).ok()?;
            let chain = chain.collect::<Result<Vec<_>, _>>().ok()?;
            let identity = Arc::new(Identity::from_cert_chain(chain).ok()?);
            let key = PrivateKeyDer::from_pem_file(key).ok()?;
            config.with_client_auth_cert(identity, key).ok()?
        } else {
            config.with_no_client_auth().ok()?
        };
        let domain = SecurityDomain::builder("probe, twice").finish();
        let key = KeyRef::new(&domain, options.server_name()).with_port(options.port());
        Some(Self {
            config,
            sessions: Sessions::new(Limits::default()).ok()?,
            name: ServerName::try_from(options.server_name()).ok()?.to_owned(),
            key: key.to_key(),
            timeout: options.timeout,
        })
    }

    fn connect<'a>(&self, io: &'a mut Transport) -> Result<Tls<'a>, String> {
        let handle = self.sessions.connection(self.key.clone());
        let mut config = self.config.clone();
        config.resumption = handle.resumption();
        let connection = Arc::new(config).connect(self.name.clone()).build();
        let mut tls = Tls {
            connection: connection.map_err(|error| error.to_string())?,
            input: VecInput::default(),
            io,
            handle,
        };
        while tls.connection.is_handshaking() {
            if tls.read_once()? == 0 {
                return Err("the server closed the connection".to_owned());
            }
        }
        tls.write_pending()?;
        if let Some(kind) = tls.connection.handshake_kind() {
            tls.handle.settle(kind);
        }
        Ok(tls)
    }
}

impl DoubleOffer for Client {
    fn full_handshake(&self, io: &mut Transport) -> Result<(), String> {
        let mut tls = self.connect(io)?;
        let timeout = tickets_timeout(tls.io.elapsed(), self.timeout);
        tls.io.set_deadline(timeout);
        let read = loop {
            match tls.read_once() {
                Ok(1..) => {}
                Ok(0) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        tls.io.set_deadline(self.timeout);
        tls.close();
        read
    }

    fn ticket(&self) -> Option<Encoded> {
        take(self.sessions.store(), &self.key)
    }

    fn offer(&self, ticket: &Encoded, io: &mut Transport) -> Result<bool, String> {
        put(self.sessions.store(), &self.key, ticket);
        let mut tls = self.connect(io)?;
        let resumed = matches!(
            tls.connection.handshake_kind(),
            Some(HandshakeKind::Resumed | HandshakeKind::ResumedWithHelloRetryRequest)
        );
        tls.close();
        Ok(resumed)
    }
}

/// A connection of the sans-I/O rustls and its transport.
struct Tls<'a> {
    connection: ClientConnection,
    input: VecInput,
    io: &'a mut Transport,
    handle: Arc<Handle>,
}

impl Tls<'_> {
    fn close(&mut self) {
        self.connection.send_close_notify();
        let _ = self.write_pending(); // fails if the server has already closed
    }

    fn write_pending(&mut self) -> Result<(), String> {
        while self.connection.wants_write() {
            let written = self.connection.write_tls(&mut self.io);
            written.map_err(|error| error.to_string())?;
        }
        self.io.flush().map_err(|error| error.to_string())
    }

    /// Writes what rustls has to send, then reads and processes records once. Returns the number of
    /// bytes read: zero at the end of the connection, or after the deadline.
    fn read_once(&mut self) -> Result<usize, String> {
        self.write_pending()?;
        if !self.connection.wants_read() {
            return Ok(0);
        }
        let read = match self.input.read(&mut self.io) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::TimedOut => 0,
            Err(error) => return Err(error.to_string()),
        };
        let processed = self.connection.process_new_packets(&mut self.input);
        processed.map_err(|error| error.to_string())?;
        Ok(read)
    }
}
