//! Settings: the address of Redis, timeouts and TLS.

use std::fmt;
#[cfg(feature = "redis-tls")]
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::address::Address;
#[cfg(feature = "redis-tls")]
use super::address::Endpoint;

/// Settings of a [`RedisTier`](super::RedisTier).
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisSettings {
    /// Prefix of all keys: letters, digits and `-_.:/`, at most 64 bytes. Clients share sessions if
    /// they have the same namespace and key ring. Default `tls-resume`.
    pub namespace: String,
    /// Most single-use records per server; those that expire last are kept. Default 64.
    pub sessions_per_server: usize,
    /// Timeout for a new connection: TCP, TLS and authentication; and for learning from Sentinels or
    /// a cluster where to connect. Default 1 s.
    pub connect_timeout: Duration,
    /// Timeout from sending a request to the end of its reply. Default 500 ms.
    pub answer_timeout: Duration,
    /// The TLS configuration for `rediss://`, with trusted roots and optionally a client
    /// certificate. Build it with `ClientConfig::builder_with_provider`, so that it does not depend
    /// on the process's default provider. Default none.
    #[cfg(feature = "redis-tls")]
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

/// A [`RedisTier`](super::RedisTier) cannot be created from its address and settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RedisError {
    /// The address is not valid.
    #[error(
        "not an address of Redis: give redis://[[user]:password@]host[:port][/database], \
         redis+unix:///socket, redis-sentinel://host,host/name or redis-cluster://host,host"
    )]
    Url,
    /// The namespace is empty, too long, or has other characters.
    #[error("the namespace must be 1 to 64 letters, digits or any of -_.:/")]
    Namespace,
    /// A timeout is zero.
    #[error("a timeout is zero: leave it at its default or give a longer one")]
    Timeout,
    /// `rediss://` without a TLS configuration.
    #[error("rediss:// needs a TLS configuration: switch on redis-tls and set `tls`")]
    NoTls,
    /// A TLS configuration without `rediss://`.
    #[error("a TLS configuration is set, but the address has no TLS: give rediss://")]
    NotTls,
    /// The host is not a valid name for TLS.
    #[error("the host is not a name that TLS can verify: give a DNS name or an IP address")]
    Host,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            namespace: String::from("tls-resume"),
            sessions_per_server: 64,
            connect_timeout: Duration::from_secs(1),
            answer_timeout: Duration::from_millis(500),
            #[cfg(feature = "redis-tls")]
            tls: None,
        }
    }
}

impl RedisSettings {
    /// Sets [`namespace`](Self::namespace).
    #[must_use]
    pub fn with_namespace(self, namespace: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            ..self
        }
    }

    /// Sets [`sessions_per_server`](Self::sessions_per_server).
    #[must_use]
    pub fn with_sessions_per_server(self, sessions_per_server: usize) -> Self {
        Self {
            sessions_per_server,
            ..self
        }
    }

    /// Sets [`connect_timeout`](Self::connect_timeout) and
    /// [`answer_timeout`](Self::answer_timeout).
    #[must_use]
    pub fn with_timeouts(self, connect: Duration, answer: Duration) -> Self {
        Self {
            connect_timeout: connect,
            answer_timeout: answer,
            ..self
        }
    }

    /// Sets [`tls`](Self::tls).
    #[cfg(feature = "redis-tls")]
    #[must_use]
    pub fn with_tls(self, tls: Arc<rustls::ClientConfig>) -> Self {
        Self {
            tls: Some(tls),
            ..self
        }
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("namespace", &self.namespace)
            .field("sessions_per_server", &self.sessions_per_server)
            .field("connect_timeout", &self.connect_timeout)
            .field("answer_timeout", &self.answer_timeout)
            .finish_non_exhaustive()
    }
}

/// The Redis to connect to, from the address and the settings.
pub(super) struct Target {
    pub(super) address: Address,
    pub(super) connect_timeout: Duration,
    pub(super) answer_timeout: Duration,
    #[cfg(feature = "redis-tls")]
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
}

impl Target {
    pub(super) fn new(url: &str, settings: &RedisSettings) -> Result<Self, RedisError> {
        if settings.connect_timeout.is_zero() || settings.answer_timeout.is_zero() {
            return Err(RedisError::Timeout);
        }
        let address = Address::parse(url)?;
        #[cfg(not(feature = "redis-tls"))]
        if address.has_tls {
            return Err(RedisError::NoTls);
        }
        #[cfg(feature = "redis-tls")]
        check_tls(&address, settings.tls.is_some())?;
        Ok(Self {
            address,
            connect_timeout: settings.connect_timeout,
            answer_timeout: settings.answer_timeout,
            #[cfg(feature = "redis-tls")]
            tls: settings.tls.clone(),
        })
    }
}

#[cfg(feature = "redis-tls")]
fn check_tls(address: &Address, has_config: bool) -> Result<(), RedisError> {
    match (address.has_tls, has_config) {
        (false, false) => return Ok(()),
        (false, true) => return Err(RedisError::NotTls),
        (true, false) => return Err(RedisError::NoTls),
        (true, true) => {}
    }
    let is_name = |endpoint: &Endpoint| match endpoint {
        Endpoint::Tcp(host, _) => rustls::pki_types::ServerName::try_from(host.as_str()).is_ok(),
        Endpoint::Unix(_) => false,
    };
    if address.endpoints.iter().all(is_name) {
        Ok(())
    } else {
        Err(RedisError::Host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rediss_without_a_configuration_is_an_error() {
        let settings = RedisSettings::default();
        for url in [
            "rediss://host",
            "rediss-cluster://host",
            "rediss-sentinel://host/name",
        ] {
            let error = Target::new(url, &settings).map(drop).unwrap_err();
            assert_eq!(error, RedisError::NoTls, "{url}");
        }
    }

    #[test]
    fn a_timeout_of_zero_is_an_error() {
        let settings = RedisSettings::default();
        let zero = settings.with_timeouts(Duration::ZERO, Duration::from_secs(1));
        let error = Target::new("redis://host", &zero).map(drop).unwrap_err();
        assert_eq!(error, RedisError::Timeout);
    }
}
