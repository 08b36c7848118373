//! A configuration for other crates' clients.

use std::sync::Arc;

use ::rustls::ClientConfig;
use pki_types::ServerName;
use store_core::SecurityDomain;

use super::Connector;

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
    /// made it.
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
    pub fn client_config(&self) -> ClientConfig {
        self.client_config_in(*self.security_domain())
    }

    /// As [`client_config`](Self::client_config), with its sessions in the given domain.
    pub(crate) fn client_config_in(&self, domain: SecurityDomain) -> ClientConfig {
        let rustls = self.backend();
        // Its resumption is disabled.
        let mut config = ClientConfig::clone(rustls.configs.config());
        let scope = self.scope();
        if scope.resumes {
            let sessions = rustls.configs.sessions().shared_handle_in(domain);
            let sessions = match &scope.endpoint {
                Some(endpoint) => sessions.with_endpoint(Arc::clone(endpoint)),
                None => sessions,
            };
            let never_resume = Arc::clone(self.never_resume());
            let resumes = move |host: &ServerName<'_>| !never_resume.contains(host, None);
            config.resumption = sessions.with_condition(resumes).resumption();
        }
        config
    }
}
