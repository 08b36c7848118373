//! Settings: the address of Redis, timeouts and TLS.

use std::fmt;
#[cfg(feature = "redis-tls")]
use std::sync::Arc;
use std::time::Duration;

use ::redis::{ConnectionAddr, IntoConnectionInfo as _};
use thiserror::Error;
use zeroize::Zeroizing;

/// Settings of a [`RedisTier`](super::RedisTier).
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisSettings {
    /// Prefix of all keys: letters, digits and `-_.:/`, at most 64 bytes. Clients share sessions if
    /// they have the same namespace and key ring. Default `tls-resume`.
    pub namespace: String,
    /// Most single-use records per server; those that expire last are kept. Default 64.
    pub sessions_per_server: usize,
    /// Timeout for a new connection: TCP, TLS and authentication. Default 1 s.
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
    #[error("not an address of Redis: give redis://[[user]:password@]host[:port][/database]")]
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
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: Option<String>,
    pub(super) password: Option<Zeroizing<String>>,
    pub(super) database: i64,
    pub(super) connect_timeout: Duration,
    pub(super) answer_timeout: Duration,
    #[cfg(feature = "redis-tls")]
    pub(super) tls: Option<Tls>,
}

/// The configuration and server name of a TLS connection.
#[cfg(feature = "redis-tls")]
pub(super) struct Tls {
    pub(super) config: Arc<rustls::ClientConfig>,
    pub(super) name: rustls::pki_types::ServerName<'static>,
}

impl Target {
    pub(super) fn new(url: &str, settings: &RedisSettings) -> Result<Self, RedisError> {
        if settings.connect_timeout.is_zero() || settings.answer_timeout.is_zero() {
            return Err(RedisError::Timeout);
        }
        let (scheme, rest) = url.split_once("://").ok_or(RedisError::Url)?;
        let is_tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(RedisError::Url),
        };
        #[cfg(not(feature = "redis-tls"))]
        if is_tls {
            return Err(RedisError::NoTls);
        }
        // The redis crate ignores certificates after `#insecure`: reject it.
        if rest.contains('#') {
            return Err(RedisError::Url);
        }
        // TLS is done here: the redis crate uses the process's default provider, and there is none
        // when two are linked.
        let info = Zeroizing::new(format!("redis://{rest}"));
        let info = info.as_str().into_connection_info();
        // Its errors may repeat the password.
        let info = info.map_err(|_| RedisError::Url)?;
        let ConnectionAddr::Tcp(host, port) = info.addr().clone() else {
            return Err(RedisError::Url);
        };
        let redis = info.redis_settings();
        let owned = |text: &str| Zeroizing::new(text.to_owned());
        if redis.username().is_some() && redis.password().is_none() {
            return Err(RedisError::Url);
        }
        Ok(Self {
            #[cfg(feature = "redis-tls")]
            tls: tls(is_tls, &host, settings.tls.as_ref())?,
            host,
            port,
            user: redis.username().map(str::to_owned),
            password: redis.password().map(owned),
            database: redis.db(),
            connect_timeout: settings.connect_timeout,
            answer_timeout: settings.answer_timeout,
        })
    }
}

#[cfg(feature = "redis-tls")]
fn tls(
    is_tls: bool,
    host: &str,
    config: Option<&Arc<rustls::ClientConfig>>,
) -> Result<Option<Tls>, RedisError> {
    match (is_tls, config) {
        (false, None) => Ok(None),
        (false, Some(_)) => Err(RedisError::NotTls),
        (true, None) => Err(RedisError::NoTls),
        (true, Some(config)) => Ok(Some(Tls {
            config: Arc::clone(config),
            name: host.to_owned().try_into().map_err(|_| RedisError::Host)?,
        })),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redis at {}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target, RedisError> {
        Target::new(url, &RedisSettings::default())
    }

    #[test]
    fn addresses_are_parsed() {
        let target = target("redis://me:p%40ss@redis.example:7000/3").unwrap();
        assert_eq!((&*target.host, target.port), ("redis.example", 7000));
        assert_eq!(target.user.as_deref(), Some("me"));
        assert_eq!(**target.password.as_ref().unwrap(), "p@ss");
        assert_eq!(target.database, 3);
        assert_eq!(target.to_string(), "redis at redis.example:7000");

        let target = self::target("valkey://[::1]").unwrap();
        assert_eq!((&*target.host, target.port), ("::1", 6379));
        assert!(target.password.is_none());
    }

    #[test]
    fn an_invalid_address_is_an_error_that_does_not_repeat_it() {
        for wrong in [
            "",
            "localhost",
            "http://localhost",
            "redis+unix:///run/redis.sock",
            "redis://:secret@",
            "redis://secret@host",
            "redis://:secret@host:99999",
            "redis://:secret@host/x",
            "redis://:secret@host#insecure",
            "redis://:secret@0.0.0.0",
        ] {
            let error = target(wrong).unwrap_err();
            assert_eq!(error, RedisError::Url, "{wrong}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn rediss_without_a_configuration_is_an_error() {
        assert_eq!(target("rediss://host").unwrap_err(), RedisError::NoTls);
    }

    #[test]
    fn a_timeout_of_zero_is_an_error() {
        let settings = RedisSettings::default();
        let zero = settings.with_timeouts(Duration::ZERO, Duration::from_secs(1));
        let error = Target::new("redis://host", &zero).unwrap_err();
        assert_eq!(error, RedisError::Timeout);
    }
}
