//! A configuration for other crates' clients.

use std::sync::Arc;

use ::rustls::ClientConfig;
use backend_rustls::{SessionData, SharedHandle};
use pki_types::ServerName;
use store_core::SecurityDomain;

use super::follower::Following;
use super::{Connector, Rustls};
use crate::connector::Configured;

impl Connector {
    /// A configuration for a client that makes its connections itself: reqwest, hyper-rustls,
    /// tokio-rustls, async-nats and others that are built on rustls 0.23. It trusts and offers what
    /// this connector does, and its connections store their sessions in this connector's store.
    ///
    /// All configurations of one connector resume each other's sessions, but not those of the
    /// connector's own connections. So build one connector for all connections: configurations of
    /// different connectors share no sessions.
    ///
    /// It does not announce early data, even if the
    /// [connector allows it](crate::rustls::ConnectorBuilder::early_data): for a client that sends
    /// some, set `enable_early_data` on it.
    ///
    /// rustls gives the store of such a client less information ([`backend_rustls::SharedHandle`]):
    /// all ports of a host share sessions; [`Stats::taken`](crate::Stats::taken) and
    /// [`copied`](crate::Stats::copied) count the sessions offered, but not whether they were
    /// resumed. Limits, lifetimes and
    /// [`never_resume`](crate::rustls::ConnectorBuilder::never_resume) apply as for the connector's
    /// own connections; a server that is listed there with a port stands for its host. The
    /// configuration keeps the [options](crate::rustls::Connector::with_options) of the handle that
    /// made it. Sessions expire with the client certificate; when that of the server expires is not
    /// known.
    ///
    /// A server that fails when a session is offered is recognized, and avoided for a while, after
    /// two connections at most that failed. Not if it rejects the session only after the client's
    /// `Finished`: rustls has reported success before, so each connection that offers a session
    /// fails: in TLS 1.3 until no ticket is left, in TLS 1.2 until the session expires. The
    /// connector's own connections see that, too.
    ///
    /// ```
    /// # fn main() -> Result<(), tls_resume::Error> {
    /// use tls_resume::rustls::Connector;
    ///
    /// let connector = Connector::builder().alpn(["h2", "http/1.1"]).build()?;
    /// let config = connector.client_config();
    /// // reqwest::Client::builder().tls_backend_preconfigured(config).build()?
    /// # assert_eq!(config.alpn_protocols.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # With a client certificate that rotates
    /// If the connector has a [source](crate::rustls::ConnectorBuilder::client_credentials) of
    /// credentials, so has the configuration: a connection authenticates with the current one, and
    /// resumes no session of another. rustls does not say which connection a session belongs to. So
    /// for 30 seconds after a rotation the configuration stores no session: it may belong to a
    /// connection from before. A session that such a connection receives even later, because its server
    /// sends it then or its client did not read, is stored as one of the new credential.
    /// Configurations of one connector resume each other's sessions as long as one of them exists.
    ///
    /// Connections of the connector itself, and quinn's, know theirs and resume at once. So do those of
    /// a configuration that is made anew for each certificate, from
    /// [`with_client_certificate`](crate::rustls::Connector::with_client_certificate).
    pub fn client_config(&self) -> ClientConfig {
        let configured = self.configured();
        let domain = self.scope().domain(configured.domain());
        let mut config = self.client_config_in(domain, &configured, None);
        if self.settings().client_source.is_some() {
            let rustls = &configured.backend;
            let follower = rustls.follower(self);
            let following = Following::new(Arc::clone(&follower), self.scope().clone());
            let sessions = rustls.configs.sessions();
            let sessions = sessions.shared_handle_following(Arc::new(following));
            self.resume_from(sessions, &mut config);
            config.client_auth_cert_resolver = follower;
        }
        config
    }
}

impl Connector {
    /// A configuration with this credential, for connections that another crate makes, with its
    /// sessions in `domain`. With `data`, for one connection alone.
    pub(crate) fn client_config_in(
        &self,
        domain: SecurityDomain,
        configured: &Configured<Rustls>,
        data: Option<&SessionData>,
    ) -> ClientConfig {
        let rustls = &configured.backend;
        let sessions = rustls.configs.sessions().shared_handle_in(domain);
        let sessions = sessions.with_client_certificate_expiry(rustls.credential.not_after());
        let sessions = match data {
            Some(data) => sessions.with_session_data(data.clone()),
            None => sessions,
        };
        // Its resumption is disabled.
        let mut config = ClientConfig::clone(rustls.configs.config());
        self.resume_from(sessions, &mut config);
        config
    }

    /// Sets the resumption of a configuration, with the options of this handle.
    fn resume_from(&self, sessions: SharedHandle, config: &mut ClientConfig) {
        if !self.resumes() {
            return;
        }
        let sessions = match &self.scope().endpoint {
            Some(endpoint) => sessions.with_endpoint(Arc::clone(endpoint)),
            None => sessions,
        };
        let never_resume = Arc::clone(self.never_resume());
        let resumes = move |host: &ServerName<'_>| !never_resume.contains(host, None);
        config.resumption = sessions.with_condition(resumes).resumption();
    }
}
