//! The session that a connection keeps for its kin: connections that resume it and no other.

use std::io::{Read, Write};
use std::sync::Arc;

use store_core::{Generation, Outlook, SessionKey, SessionStore, Timestamp};

use super::{Beginning, Configured, Connector};
use crate::connection_info::{Connection, ConnectionInfo};
use crate::host::Host;
use crate::stream::Stream;
use crate::{Backend, Error, Resumption};

/// What a connection keeps for its kin: its configuration, over a store of its own, which no
/// connection uses but this one and its kin.
pub(crate) struct Kin<B: Backend> {
    connector: Connector<B>,
    host: Host,
    port: u16,
    configured: Arc<Configured<B>>,
    /// The store of `configured`.
    store: Arc<SessionStore<B::Session>>,
    /// `None`: it neither offers nor stores sessions, and nor do its kin.
    key: Option<SessionKey>,
    /// When the connection began, in the connector's store: a clear of that revokes this session.
    begun: Generation,
}

impl<B: Backend> Kin<B> {
    /// What a kin connection to `host` and `port` uses that begins now.
    pub(super) fn begin(&self, host: &Host, port: u16) -> Beginning<B> {
        Beginning {
            configured: Arc::clone(&self.configured),
            key: self.key_for(host, port),
            kept: None,
        }
    }

    /// What a kin connection to `host` and `port` would do with sessions.
    pub(super) fn outlook(&self, host: &Host, port: u16, now: Timestamp) -> Outlook {
        let key = self.key_for(host, port);
        key.map_or(Outlook::Off, |key| self.store.outlook(&key, now))
    }

    /// The key of the sessions for a connection to `host` and `port`: none if that is another host, if
    /// the server of either connection never resumes, or if the sessions were cleared.
    fn key_for(&self, host: &Host, port: u16) -> Option<SessionKey> {
        let key = self.key.as_ref()?;
        let own = key.as_key();
        let same = host.key(own.domain()).host() == own.host();
        let never = self.connector.never_resume();
        let never = [self.port, port].map(|port| never.contains(host.server_name(), Some(port)));
        let resumes = same && never == [false; 2];
        (resumes && !self.is_cleared(key)).then(|| key.clone())
    }

    /// Whether the sessions of `key` were cleared since, or those of the same server with the
    /// credential that the connector uses now.
    fn is_cleared(&self, key: &SessionKey) -> bool {
        let connector = &self.connector;
        let memory = &connector.inner.opened.store.memory;
        let current = connector.scope.domain(connector.configured().domain());
        let current = connector.key(&self.host, &current).with_port(self.port);
        memory.is_cleared_since(key, self.begun) || memory.is_cleared_since(current, self.begun)
    }
}

impl<B: Backend> Connector<B> {
    /// As [`begin`](Self::begin), for a connection that keeps its session.
    #[cold]
    pub(super) fn begin_keeping(
        &self,
        host: &Host,
        port: u16,
        configured: &Configured<B>,
        key: Option<SessionKey>,
    ) -> Beginning<B> {
        let begun = self.inner.opened.store.memory.generation();
        let store = self.store_of_one_server();
        let configured = Arc::new(configured.over(Arc::clone(&store)));
        let kin = Kin {
            connector: self.clone(),
            host: host.clone(),
            port,
            configured: Arc::clone(&configured),
            store,
            key: key.clone(),
            begun,
        };
        Beginning {
            configured,
            key,
            kept: Some(Arc::new(kin)),
        }
    }

    fn store_of_one_server(&self) -> Arc<SessionStore<B::Session>> {
        let limits = self.inner.settings.limits.clone();
        let servers = limits.servers.min(1);
        // Its bytes are bounded by those of a server.
        let store = SessionStore::new(limits.with_servers(servers));
        let store = store.expect("fewer servers than the connector's valid limits");
        // A server that wants kin has no use for a connection that offers nothing.
        let store = store.with_history(false);
        #[cfg(feature = "tracing")]
        store.log_server_names(self.inner.settings.log_server_names);
        Arc::new(store)
    }

    /// Kin keep the session of their connection alone: after a full handshake, nothing is stored that
    /// this one received.
    pub(crate) fn keep_kin_alone<T: Connection>(&self, connection: &ConnectionInfo<T>) {
        if self.kin.is_some() && connection.resumption() != Resumption::Resumed {
            connection.forget();
        }
    }

    /// A handle of this connector whose connections resume the session of `connection`, and no other:
    /// for the data connections of FTPS, whose servers reject every other session.
    ///
    /// `connection` keeps its session for that if it was made with
    /// [`ConnectOptions::keep_session`](crate::ConnectOptions::keep_session), and is one of this
    /// connector or its handles; otherwise it is an error of
    /// [`ErrorKind::Config`](crate::ErrorKind::Config). The handle outlives the connection.
    ///
    /// - The session is offered as often as there are connections, the newest ticket first. Of rustls
    ///   0.23, a TLS 1.3 ticket is offered once, since it cannot be copied: then connections resume as
    ///   long as there are tickets, of which most servers send one or two in each connection.
    ///   They arrive when the application reads.
    /// - Tickets that `connection` receives later are offered, too, and those of resumed connections.
    /// - Nothing is taken from the connector's store, or put into it: of the counters of
    ///   [`stats`](Self::stats) only `retried` may change.
    /// - A connection makes a full handshake if there is no session any more: it has expired, the server
    ///   declined it, a handshake with it failed, or it was revoked: by [`clear`](Self::clear) and its
    ///   like, or by [`forget`](crate::generic::ConnectionInfo::forget) of the connection that received
    ///   it. So does one to another host. The sessions of such a connection are not stored: the next
    ///   one makes a full handshake, too.
    /// - Connections have the configuration of `connection`, its client certificate included. They may
    ///   go to another port. They never send early data.
    /// - After the credential of a [source](crate::generic::ConnectorBuilder::client_credentials) has
    ///   changed, they still have the one of `connection`. [`clear_server`](Self::clear_server) and
    ///   [`clear_partition`](Self::clear_partition) revoke its session, too, until the credential
    ///   changes once more: then, what was cleared with the one in between is not known any more, and
    ///   the session is offered. [`clear`](Self::clear) revokes it for good.
    /// - A connection offers nothing if its own host and port or those of `connection` are in
    ///   [`never_resume`](crate::generic::ConnectorBuilder::never_resume).
    ///   [`connect_stream_resuming`](Self::connect_stream_resuming) is told no port: it takes the one of
    ///   `connection`.
    /// - The handle's `client_config` and quinn have no sessions. Nor has a handle of it
    ///   [with a partition, with another endpoint, or without resumption](Self::with_options), or a
    ///   connector made of it with another client certificate or other roots. Other options change
    ///   nothing.
    /// - [`would_resume`](Self::would_resume) of the handle is about the session of `connection`.
    pub fn resuming<IO: Read + Write>(&self, connection: &Stream<B, IO>) -> Result<Self, Error> {
        self.resuming_kept(connection.kept())
    }

    /// Makes the handshake over a transport that is already connected, with the host of `connection`,
    /// whose session it resumes: [`resuming`](Self::resuming) for one connection.
    ///
    /// ```no_run
    /// # #[cfg(feature = "openssl")]
    /// # fn list(control: std::net::TcpStream, data: std::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// use tls_resume::{ConnectOptions, openssl::Connector};
    ///
    /// let connector = Connector::builder().build()?;
    /// let keep = ConnectOptions::new().keep_session(true);
    /// // After AUTH TLS has been accepted:
    /// let control = connector.connect_stream_with("ftp.example.com", 21, control, &keep)?;
    /// // After PASV and LIST, over the TCP connection to the port that the server named:
    /// let listing = connector.connect_stream_resuming(&control, data)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect_stream_resuming<Of: Read + Write, IO: Read + Write>(
        &self,
        connection: &Stream<B, Of>,
        io: IO,
    ) -> Result<Stream<B, IO>, Error> {
        let (handle, host, port) = self.resuming_server(connection.kept())?;
        handle.connect_stream(host, port, io)
    }

    pub(crate) fn kin(&self) -> Option<&Arc<Kin<B>>> {
        self.kin.as_ref()
    }

    /// The same handle, whose connections resume the session of `kin` and no other, if there is one.
    pub(crate) fn with_kin(self, kin: Option<Arc<Kin<B>>>) -> Self {
        Self { kin, ..self }
    }

    /// As [`resuming`](Self::resuming), of what a stream keeps.
    pub(crate) fn resuming_kept(&self, kept: Option<&Arc<Kin<B>>>) -> Result<Self, Error> {
        self.resuming_server(kept).map(|(handle, ..)| handle)
    }

    /// The handle with the server of the connection that it resumes.
    pub(crate) fn resuming_server<'k>(
        &self,
        kept: Option<&'k Arc<Kin<B>>>,
    ) -> Result<(Self, &'k str, u16), Error> {
        let Some(kin) = kept else {
            return Err(Error::config(
                "the connection to resume keeps no session: connect it with the option keep_session(true)",
            ));
        };
        if !Arc::ptr_eq(&kin.connector.inner, &self.inner) {
            return Err(Error::config(
                "the connection to resume is of another connector: use the one that made it",
            ));
        }
        let handle = self.in_scope(kin.connector.scope.without_sessions());
        let handle = handle.with_kin(Some(Arc::clone(kin)));
        Ok((handle, kin.host.as_str(), kin.port))
    }
}
