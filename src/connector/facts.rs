//! What a connector knows before it connects.

use store_core::Outlook;

use super::Connector;
use crate::Backend;
use crate::host::Host;

impl<B: Backend> Connector<B> {
    /// The name of the backend: `rustls`, `openssl` or `rustls-preview`.
    pub fn backend_name(&self) -> &'static str {
        B::NAME
    }

    /// What [`connect`](Self::connect) would do with sessions if it were called now, with the options of
    /// this handle: whether it would offer one, and of how many. Takes no session and counts nothing.
    ///
    /// Another connection may take the session, and the server may decline it. Sessions that only a tier
    /// has do not count: `prefetch` fetches one first. The clients with a `client_config` and quinn have
    /// sessions of their own, which do not count either. [`Outlook::Off`] for a server in
    /// [`never_resume`](crate::generic::ConnectorBuilder::never_resume), without
    /// [resumption](crate::ConnectOptions::resumption), and for what is not a host.
    ///
    /// Of a handle whose connections [keep their session](crate::ConnectOptions::keep_session):
    /// [`Outlook::NoSession`] where it is not off, since they offer none. Of a handle that is
    /// [resuming](Self::resuming) a connection: whether it would offer the session of that, and
    /// [`Outlook::Off`] for another host and when the session was cleared.
    ///
    /// ```
    /// # #[cfg(feature = "rustls")]
    /// # fn main() -> Result<(), tls_resume::Error> {
    /// use tls_resume::{ConnectOptions, Outlook, rustls::Connector};
    ///
    /// let connector = Connector::builder().build()?;
    /// assert_eq!(connector.would_resume("example.com", 443), Outlook::NoSession);
    /// let fresh = connector.with_options(&ConnectOptions::new().resumption(false));
    /// assert_eq!(fresh.would_resume("example.com", 443), Outlook::Off);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "rustls"))]
    /// # fn main() {}
    /// ```
    pub fn would_resume(&self, host: &str, port: u16) -> Outlook {
        let Ok(host) = Host::parse(host) else {
            return Outlook::Off;
        };
        let now = self.inner.settings.clock.now();
        if let Some(kin) = &self.kin {
            return kin.outlook(&host, port, now);
        }
        match self.session_key(&self.configured(), &host, port) {
            None => Outlook::Off,
            Some(_) if self.scope.keeps_session => Outlook::NoSession,
            Some(key) => self.inner.opened.store.memory.outlook(&key, now),
        }
    }
}
