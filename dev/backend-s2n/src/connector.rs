//! From a store and a configuration of s2n-tls to connections.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use s2n_tls::config::{self, Config};
use s2n_tls::connection::{Builder, Connection};
use s2n_tls::enums::Mode;
use s2n_tls_tokio::TlsConnector;
use store_core::{
    Clock, HostRef, KeyRef, Limits, LimitsError, SecurityDomain, SessionKey, SessionStore,
    SystemClock, Timestamp, Usage,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::arrivals::{Arrivals, Collects, Steady, WallTime, now};
use crate::handle::{Handle, Offered};
use crate::{Error, Session, Stream};

/// A store of sessions and the clock that it goes by. Cloning it is cheap and gives the same store.
#[derive(Clone)]
pub struct Sessions {
    store: Arc<SessionStore<Session>>,
    clock: Arc<dyn Clock>,
    steady: Arc<Steady>,
}

impl Sessions {
    /// An empty store in memory, on the system's clock.
    pub fn new(limits: Limits) -> Result<Self, LimitsError> {
        Ok(Self::over(
            Arc::new(SessionStore::new(limits)?),
            Arc::new(SystemClock),
        ))
    }

    /// A store that is there already, be it with a tier behind it.
    ///
    /// s2n-tls has one clock for all: what [`attach`](Self::attach) configures goes by `clock` in
    /// whatever needs the time, the validity of certificates among it.
    pub fn over(store: Arc<SessionStore<Session>>, clock: Arc<dyn Clock>) -> Self {
        let steady = Arc::new(Steady::new(Arc::clone(&clock)));
        Self {
            store,
            clock,
            steady,
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<SessionStore<Session>> {
        &self.store
    }

    /// Takes over the sessions of a configuration, which is finished thereby: its callback for
    /// session tickets and its wall clock are this store's.
    ///
    /// `domain` must say everything in the configuration that decides over trust or over what is
    /// offered: trusted certificates, the callback that verifies host names, the client's
    /// certificate and key, security policy, application protocols. s2n-tls looks at none of it when
    /// it resumes.
    pub fn attach(
        &self,
        mut builder: config::Builder,
        domain: SecurityDomain,
    ) -> Result<Connector, s2n_tls::error::Error> {
        builder.set_session_ticket_callback(Collects)?;
        builder.set_wall_clock(WallTime(Arc::clone(&self.steady)))?;
        Ok(Connector {
            config: builder.build()?,
            sessions: self.clone(),
            domain,
        })
    }

    /// The time; `None` if the clock panics, which is a miss.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        now(&*self.clock)
    }

    /// The same, as s2n-tls sees it.
    pub(crate) fn steady_now(&self) -> Timestamp {
        self.steady.now()
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// Makes connections that resume.
pub struct Connector {
    config: Config,
    sessions: Sessions,
    domain: SecurityDomain,
}

impl Connector {
    /// The store, for `clear`, `stats` and the like.
    pub fn store(&self) -> &Arc<SessionStore<Session>> {
        self.sessions.store()
    }

    /// The security domain of its sessions.
    pub fn security_domain(&self) -> &SecurityDomain {
        &self.domain
    }

    /// Under what the sessions of a server are kept.
    pub fn key<'a>(&'a self, host: &'a str, port: u16) -> KeyRef<'a> {
        KeyRef::new(&self.domain, host).with_port(port)
    }

    /// Makes a handshake with the server `host`, over a transport to its `port`, and offers a
    /// session of it if there is one.
    ///
    /// Dropping the future gives the handshake up; a ticket that was offered is used up. A handshake
    /// that fails answers after s2n-tls's blinding delay, which needs tokio's timer.
    pub async fn connect<IO>(&self, host: &str, port: u16, io: IO) -> Result<Stream<IO>, Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let name = server_name(host)?;
        let key = self.key(host, port).to_key();
        let (connection, handle) = self.prepare(name, key)?;
        let handle = Some(Arc::new(handle));
        self.shake_hands(name, connection, handle, io).await
    }

    /// The same with a server that is never resumed with: nothing is offered, and nothing stored.
    pub async fn connect_afresh<IO>(&self, host: &str, io: IO) -> Result<Stream<IO>, Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let name = server_name(host)?;
        let connection = self.connection(name, Arrivals::counted())?;
        self.shake_hands(name, connection, None, io).await
    }

    async fn shake_hands<IO>(
        &self,
        name: &str,
        connection: Connection,
        handle: Option<Arc<Handle>>,
        io: IO,
    ) -> Result<Stream<IO>, Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let carried = Carried {
            connection,
            handle: handle.clone(),
        };
        let prepared = Prepared(Arc::new(Mutex::new(Some(carried))));
        match TlsConnector::new(prepared).connect(name, io).await {
            Ok(mut tls) => {
                if let Some(handle) = &handle {
                    handle.succeeded(tls.as_mut());
                }
                Ok(Stream::new(tls, handle))
            }
            Err(error) => {
                if let Some(handle) = handle {
                    handle.failed();
                }
                Err(error.into())
            }
        }
    }

    /// A connection with the session that it is to offer, if there is one.
    fn prepare(&self, name: &str, key: SessionKey) -> Result<(Connection, Handle), Error> {
        let store = self.sessions.store();
        let arrivals = || Arrivals::within(store.limits());
        let mut connection = self.connection(name, arrivals())?;
        let Some(now) = self.sessions.now() else {
            let handle = Handle::new(self.sessions.clone(), key, store.generation(), None);
            return Ok((connection, handle));
        };
        let by_s2n = self.sessions.steady_now();
        let usable = |session: &Session| session.is_from_before(by_s2n);
        let (mut begun, mut next) = store.begin(&key, now, usable);
        let mut offered = None;
        while let Some(offer) = next.take() {
            let entry = offer.entry;
            if connection.set_session_ticket(entry.session.bytes()).is_ok() {
                offered = Some(Offered {
                    id: offer.id,
                    usage: entry.usage,
                    established: entry.established,
                });
                break;
            }
            // It cannot be read, and may have left its traces: another connection, and the next
            // session. A single-use one is gone already.
            connection = self.connection(name, arrivals())?;
            if entry.usage == Usage::Reusable {
                store.remove(&key, offer.id);
                // Where something lies behind the store, that cleared the server.
                begun = store.generation();
            }
            next = store.offer_where(&key, now, usable);
        }
        let handle = Handle::new(self.sessions.clone(), key, begun, offered);
        Ok((connection, handle))
    }

    fn connection(
        &self,
        name: &str,
        arrivals: Arrivals,
    ) -> Result<Connection, s2n_tls::error::Error> {
        let mut connection = self.config.build_connection(Mode::Client)?;
        // Here too, so that a name that cannot be sent costs no session.
        connection.set_server_name(name)?;
        connection.set_application_context(arrivals);
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

/// The name as it is sent and verified: without the dot of an absolute one.
fn server_name(host: &str) -> Result<&str, Error> {
    match HostRef::parse(host) {
        HostRef::Name(name) => Ok(name),
        HostRef::Address(_) => Err(Error::Address),
    }
}

/// A connection and what it has to do with the store.
pub(crate) struct Carried {
    connection: Connection,
    /// None: the server is never resumed with.
    handle: Option<Arc<Handle>>,
}

impl AsRef<Connection> for Carried {
    fn as_ref(&self) -> &Connection {
        &self.connection
    }
}

impl AsMut<Connection> for Carried {
    fn as_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Drop for Carried {
    /// A handshake that has failed is blinded: its future waits, and who drops it meanwhile gives up
    /// nothing that could still have succeeded.
    fn drop(&mut self) {
        let delay = self.connection.remaining_blinding_delay();
        if delay.is_ok_and(|delay| !delay.is_zero())
            && let Some(handle) = &self.handle
        {
            handle.failed();
        }
    }
}

/// Hands one connection, which is there already, to a `TlsConnector`.
#[derive(Clone)]
struct Prepared(Arc<Mutex<Option<Carried>>>);

impl Builder for Prepared {
    type Output = Carried;

    fn build_connection(&self, _: Mode) -> Result<Carried, s2n_tls::error::Error> {
        let mut prepared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = || s2n_tls::error::Error::application("it connects once".into());
        prepared.take().ok_or_else(taken)
    }
}

/// Connections are made from many threads, and by futures that move between them.
const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<Connector>();
    shared_between_threads::<Handle>();
};
