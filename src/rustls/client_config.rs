//! A configuration for other crates' clients.

use std::sync::Arc;

use ::rustls::ClientConfig;
use store_core::SecurityDomain;

use super::follower::Follower;
use super::{Connector, Rustls};
use crate::connector::Configured;
use crate::settings::Settings;

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
    /// own connections. Sessions expire with the client certificate; when that of the server expires is
    /// not known.
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
        let mut config = configured.client_config(self.settings(), |domain| *domain);
        if self.settings().client_source.is_some() {
            let rustls = &configured.backend;
            let follower = rustls.follower(self);
            let sessions = rustls.configs.sessions();
            let sessions = sessions.shared_handle_following(Arc::<Follower>::clone(&follower));
            let sessions = sessions.with_never_resume(&self.settings().never_resume);
            config.resumption = sessions.resumption();
            config.client_auth_cert_resolver = follower;
        }
        config
    }
}

impl Configured<Rustls> {
    /// A configuration with this credential, for connections that another crate makes, with its
    /// sessions in the domain `of` the connector's.
    pub(crate) fn client_config(
        &self,
        settings: &Settings,
        of: fn(&SecurityDomain) -> SecurityDomain,
    ) -> ClientConfig {
        let rustls = &self.backend;
        let sessions = rustls.configs.sessions();
        let sessions = sessions
            .shared_handle_in(of(self.domain()))
            .with_client_certificate_expiry(rustls.credential.not_after())
            .with_never_resume(&settings.never_resume);
        let mut config = ClientConfig::clone(rustls.configs.config());
        config.resumption = sessions.resumption();
        config
    }
}
