//! The session that a connection keeps for its kin: connections that resume it and no other.

use std::io::{Read, Write};
use std::sync::Arc;

use store_core::{Generation, SessionKey, SessionStore};

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
    /// `None`: it neither offers nor stores sessions, and nor do its kin.
    key: Option<SessionKey>,
    /// When the connection began, in the connector's store: a clear of that revokes this session.
    begun: Generation,
}

impl<B: Backend> Kin<B> {
    /// What a kin connection to `host` uses that begins now.
    pub(super) fn begin(&self, host: &Host) -> Beginning<B> {
        Beginning {
            configured: Arc::clone(&self.configured),
            key: self.key_for(host),
            kept: None,
        }
    }

    /// The key of the sessions for a connection to `host`: none if that is another host, or if they
    /// were cleared.
    fn key_for(&self, host: &Host) -> Option<SessionKey> {
        let key = self.key.as_ref()?;
        let own = key.as_key();
        let same = host.key(own.domain()).host() == own.host();
        let never = self.connector.never_resume();
        let resumes = same && !never.contains(host.server_name(), Some(self.port));
        let memory = &self.connector.inner.opened.store.memory;
        (resumes && !memory.is_cleared_since(key, self.begun)).then(|| key.clone())
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
        let configured = Arc::new(configured.over(self.store_of_one_server()));
        let kin = Kin {
            connector: self.clone(),
            host: host.clone(),
            port,
            configured: Arc::clone(&configured),
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
    /// - The handle's own partitions, its `client_config` and quinn have no sessions.
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
        let handle = Self {
            kin: Some(Arc::clone(kin)),
            ..self.in_scope(kin.connector.scope.without_sessions())
        };
        Ok((handle, kin.host.as_str(), kin.port))
    }
}
