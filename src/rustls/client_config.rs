//! A configuration for clients that are not ours.

use ::rustls::ClientConfig;
use store_core::SecurityDomain;

use super::Connector;

impl Connector {
    /// A configuration for a client that takes one and makes connections itself: reqwest,
    /// hyper-rustls, tokio-rustls, async-nats and others that are built on rustls 0.23. It trusts
    /// what this connector trusts and offers what it offers, and its connections keep their sessions
    /// in this connector's store.
    ///
    /// Make it once and clone it, or call this again: all of them resume each other's sessions, but
    /// not those of the connector's own connections. A client with a configuration of its own for
    /// each connection, from another connector, resumes nothing.
    ///
    /// It announces no early data, even if [that is allowed](crate::rustls::ConnectorBuilder::early_data):
    /// a client that sends some, and knows when, sets `enable_early_data` on it.
    ///
    /// rustls tells a store of such a client little ([`backend_rustls::SharedHandle`]): all ports of a host
    /// share sessions, [`Stats::taken`](crate::Stats::taken) and [`copied`](crate::Stats::copied)
    /// count what was offered, and what became of it is not known here. Bounds, lifetimes and
    /// [`never_resume`](crate::rustls::ConnectorBuilder::never_resume) hold as everywhere.
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

    /// The same with its sessions in a domain of their own.
    pub(crate) fn client_config_in(&self, domain: SecurityDomain) -> ClientConfig {
        let rustls = self.backend();
        let mut config = rustls.configs.config().clone();
        let sessions = rustls.sessions.shared_handle_in(domain);
        let sessions = sessions.with_never_resume(&self.settings().never_resume);
        config.resumption = sessions.resumption();
        config
    }
}
