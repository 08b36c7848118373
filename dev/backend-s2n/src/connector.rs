//! An s2n-tls configuration whose connections use the store.

use std::fmt;
use std::sync::Arc;

use s2n_tls::config::{self, Config};
use s2n_tls::connection::{Builder, Connection};
use s2n_tls::enums::Mode;
use s2n_tls::error::ErrorType;
use s2n_tls_tokio::TlsConnector;
use store_core::{HostRef, KeyRef, SecurityDomain, SessionKey, SessionStore, Usage, Want};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::clock::WallClockCallback;
use crate::error::Error;
use crate::handle::{Handle, OfferedSession};
use crate::prepared::{PreparedConnection, SingleUseBuilder};
use crate::received::{ReceivedSessions, TicketCallback};
use crate::session::Session;
use crate::sessions::Sessions;
use crate::stream::Stream;

impl Sessions {
    /// Builds a configuration whose connections keep their sessions in this store. Sets its session
    /// ticket callback and its wall clock.
    ///
    /// `domain` must cover every setting of the configuration that decides over trust or over what is
    /// offered: trusted certificates, the callback that verifies host names, the client's certificate
    /// and key, security policy, application protocols. s2n-tls checks none of it on resumption.
    pub fn attach(
        &self,
        mut builder: config::Builder,
        domain: SecurityDomain,
    ) -> Result<Connector, s2n_tls::error::Error> {
        builder.set_session_ticket_callback(TicketCallback)?;
        builder.set_wall_clock(WallClockCallback(Arc::clone(self.steady_clock())))?;
        Ok(Connector {
            config: builder.build()?,
            sessions: self.clone(),
            domain,
        })
    }
}

/// A configuration that makes connections which resume.
pub struct Connector {
    config: Config,
    sessions: Sessions,
    domain: SecurityDomain,
}

impl Connector {
    /// The store of this connector.
    pub fn store(&self) -> &Arc<SessionStore<Session>> {
        self.sessions.store()
    }

    /// The security domain of its sessions.
    pub fn security_domain(&self) -> &SecurityDomain {
        &self.domain
    }

    /// The key of a server in this connector's domain.
    pub fn key<'a>(&'a self, host: &'a str, port: u16) -> KeyRef<'a> {
        KeyRef::new(&self.domain, host).with_port(port)
    }

    /// Makes a TLS handshake with `host` over `io`, a transport to its `port`, and offers a session of
    /// that server if there is one.
    ///
    /// Dropping the future cancels the handshake; a ticket that was offered is used up. A handshake
    /// that fails returns after s2n-tls's blinding delay, which needs tokio's timer.
    pub async fn connect<IO>(&self, host: &str, port: u16, io: IO) -> Result<Stream<IO>, Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let host = HostRef::parse(host);
        let name = server_name(host)?;
        let key = KeyRef::from_host(&self.domain, host).with_port(port);
        let (connection, handle) = self.prepare(name, key.to_key())?;
        let handle = Some(Arc::new(handle));
        self.handshake(name, PreparedConnection { connection, handle }, io)
            .await
    }

    /// Makes a full TLS handshake with `host`: no session is offered and none is stored.
    pub async fn connect_without_resumption<IO>(
        &self,
        host: &str,
        io: IO,
    ) -> Result<Stream<IO>, Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let name = server_name(HostRef::parse(host))?;
        let prepared = PreparedConnection {
            connection: self.connection(name, ReceivedSessions::count_only())?,
            handle: None,
        };
        self.handshake(name, prepared, io).await
    }

    async fn handshake<IO>(
        &self,
        name: &str,
        prepared: PreparedConnection,
        io: IO,
    ) -> Result<Stream<IO>, Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let handle = prepared.handle.clone();
        let connector = TlsConnector::new(SingleUseBuilder::new(prepared));
        match connector.connect(name, io).await {
            Ok(mut tls) => {
                if let Some(handle) = &handle {
                    handle.succeeded(tls.as_mut());
                }
                Ok(Stream::new(tls, handle))
            }
            Err(error) => {
                if let Some(handle) = handle {
                    let kind = error.kind();
                    handle.failed(matches!(kind, ErrorType::Alert | ErrorType::ProtocolError));
                }
                Err(error.into())
            }
        }
    }

    /// Makes a connection that offers a session of `key`, if there is one.
    fn prepare(&self, name: &str, key: SessionKey) -> Result<(Connection, Handle), Error> {
        let store = self.sessions.store();
        let received = || ReceivedSessions::within(store.limits());
        let mut connection = self.connection(name, received())?;
        let Some(now) = self.sessions.now() else {
            let handle = Handle::new(self.sessions.clone(), key, store.generation(), None);
            return Ok((connection, handle));
        };
        let steady_now = self.sessions.steady_now();
        let usable = |session: &Session| session.is_received_by(steady_now);
        let start = store.begin(&key, Want::Any, now, usable);
        let (mut generation, mut next) = (start.begun.generation(), start.offer);
        let mut offered = None;
        while let Some(offer) = next.take() {
            let entry = offer.entry;
            if connection.set_session_ticket(entry.session.bytes()).is_ok() {
                offered = Some(OfferedSession {
                    id: offer.id,
                    usage: entry.usage,
                    established: entry.established,
                });
                break;
            }
            // s2n-tls cannot decode the session, and may have kept parts of it: try the next one on a
            // new connection. A single-use one has left the store already.
            connection = self.connection(name, received())?;
            if entry.usage == Usage::Reusable {
                store.remove(&key, offer.id);
                // In a store with a tier, `remove` cleared the server.
                generation = store.generation();
            }
            next = store.offer(&key, Want::Any, now, usable);
        }
        let handle = Handle::new(self.sessions.clone(), key, generation, offered);
        Ok((connection, handle))
    }

    fn connection(
        &self,
        name: &str,
        received: ReceivedSessions,
    ) -> Result<Connection, s2n_tls::error::Error> {
        let mut connection = self.config.build_connection(Mode::Client)?;
        // `TlsConnector` sets it, too. Set before the look-up, an invalid name uses up no session.
        connection.set_server_name(name)?;
        connection.set_application_context(received);
        Ok(connection)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("domain", &self.domain)
            .field("sessions", &self.sessions)
            .finish_non_exhaustive()
    }
}

/// The name for SNI and verification, without the trailing dot of an absolute name.
fn server_name(host: HostRef<'_>) -> Result<&str, Error> {
    match host {
        HostRef::Name(name) => Ok(name),
        HostRef::Address(_) => Err(Error::Address),
    }
}

/// Threads share connectors, and futures move between threads.
const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<Connector>();
    shared_between_threads::<Handle>();
};
