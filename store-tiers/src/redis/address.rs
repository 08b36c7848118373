//! Addresses of Redis.

use std::fmt;

use ::redis::{ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo};
use zeroize::Zeroizing;

use super::settings::RedisError;

/// The port of a Sentinel, unless the address names another.
const SENTINEL_PORT: u16 = 26379;

/// Where a process of Redis or a Sentinel listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Endpoint {
    Tcp(String, u16),
    Unix(std::path::PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// How the primaries are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The endpoint is the primary.
    Node,
    /// The endpoints are Sentinels, which know the primary of this name.
    Sentinel(String),
    /// The endpoints are nodes of a cluster, which know the primary of each slot.
    Cluster,
}

/// A parsed address.
pub(super) struct Address {
    pub(super) kind: Kind,
    // invariant: not empty; one, if `kind` is `Node`
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) has_tls: bool,
    /// User, password and database.
    pub(super) sign_in: RedisConnectionInfo,
}

impl Address {
    /// Parses an address as [`RedisTier::new`](super::RedisTier::new) describes it.
    pub(super) fn parse(url: &str) -> Result<Self, RedisError> {
        let (scheme, rest) = url.split_once("://").ok_or(RedisError::Url)?;
        // The redis crate ignores certificates after `#insecure`: reject it.
        if rest.contains('#') {
            return Err(RedisError::Url);
        }
        let scheme = scheme.replace("valkey", "redis");
        let has_tls = scheme.starts_with("rediss");
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts = authority.rsplit('@').next().unwrap_or_default();
        let user_info = authority.strip_suffix(hosts).unwrap_or_default();
        // TLS is done here: the redis crate uses the process's default provider, and there is none
        // when two are linked.
        let (kind, urls) = match scheme.replace("rediss", "redis").as_str() {
            "redis+unix" if !has_tls => (Kind::Node, vec![format!("redis+unix://{rest}")]),
            "redis" => (Kind::Node, vec![format!("redis://{rest}")]),
            "redis-sentinel" => {
                let (name, database) = path.split_once('/').unwrap_or((path, ""));
                // A word of a command, and part of messages.
                if name.is_empty() || name.contains(|it: char| !it.is_ascii_graphic()) {
                    return Err(RedisError::Url);
                }
                let url = |host: &str| {
                    let port = host
                        .rsplit_once(':')
                        .filter(|(_, port)| !port.contains(']'));
                    let port = port.map_or_else(|| format!(":{SENTINEL_PORT}"), |_| String::new());
                    format!("redis://{user_info}{host}{port}/{database}")
                };
                (
                    Kind::Sentinel(name.to_owned()),
                    hosts.split(',').map(url).collect(),
                )
            }
            // It has one database.
            "redis-cluster" if matches!(path, "" | "0") => {
                let url = |host: &str| format!("redis://{user_info}{host}");
                (Kind::Cluster, hosts.split(',').map(url).collect())
            }
            _ => return Err(RedisError::Url),
        };
        let parsed = urls.into_iter().map(|url| parse_one(&Zeroizing::new(url)));
        let (endpoints, mut sign_ins): (_, Vec<_>) = parsed.collect::<Result<_, _>>()?;
        Ok(Self {
            kind,
            endpoints,
            has_tls,
            sign_in: sign_ins.pop().ok_or(RedisError::Url)?,
        })
    }
}

/// Parses the address of one endpoint. Errors of the redis crate may repeat the password.
fn parse_one(url: &str) -> Result<(Endpoint, RedisConnectionInfo), RedisError> {
    let info = url.into_connection_info().map_err(|_| RedisError::Url)?;
    let endpoint = match info.addr() {
        ConnectionAddr::Tcp(host, _) if matches!(&**host, "0.0.0.0" | "::") => {
            return Err(RedisError::Url);
        }
        ConnectionAddr::Tcp(host, _) if host.contains(',') => return Err(RedisError::Url),
        ConnectionAddr::Tcp(host, port) => Endpoint::Tcp(host.clone(), *port),
        ConnectionAddr::Unix(path) if path.is_absolute() => Endpoint::Unix(path.clone()),
        _ => return Err(RedisError::Url),
    };
    let sign_in = info.redis_settings().clone().set_skip_set_lib_name();
    if sign_in.username().is_some() && sign_in.password().is_none() {
        return Err(RedisError::Url);
    }
    Ok((endpoint, sign_in))
}

impl fmt::Display for Address {
    /// Shows the endpoints, never a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<_> = self.endpoints.iter().map(Endpoint::to_string).collect();
        let endpoints = endpoints.join(",");
        match &self.kind {
            Kind::Node => write!(f, "redis at {endpoints}"),
            Kind::Sentinel(name) => write!(f, "redis {name} of the Sentinels {endpoints}"),
            Kind::Cluster => write!(f, "redis cluster at {endpoints}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        Address::parse(url).map_or_else(|error| error.to_string(), |it| it.to_string())
    }

    #[test]
    fn addresses_are_parsed() {
        let address = Address::parse("redis://me:p%40ss@redis.example:7000/3").unwrap();
        assert_eq!(address.to_string(), "redis at redis.example:7000");
        assert_eq!(address.sign_in.username(), Some("me"));
        assert_eq!(address.sign_in.password(), Some("p@ss"));
        assert_eq!(address.sign_in.db(), 3);
        assert_eq!(shown("valkey://[::1]"), "redis at [::1]:6379");
        assert!(Address::parse("valkeys://a").unwrap().has_tls);
        assert_eq!(
            shown("redis+unix:///run/redis.sock?db=2&pass=x"),
            "redis at /run/redis.sock"
        );
    }

    #[test]
    fn addresses_of_several_are_parsed() {
        let address = Address::parse("redis-sentinel://u:p@a,b:7,[::1]/mymaster/2").unwrap();
        assert_eq!(
            address.to_string(),
            "redis mymaster of the Sentinels a:26379,b:7,[::1]:26379"
        );
        assert_eq!(address.sign_in.password(), Some("p"));
        assert_eq!(address.sign_in.db(), 2);
        let address = Address::parse("rediss-cluster://:p@a:7000,b").unwrap();
        assert_eq!(address.to_string(), "redis cluster at a:7000,b:6379");
        assert_eq!(address.sign_in.password(), Some("p"));
        assert!(address.has_tls);
    }

    #[test]
    fn an_invalid_address_is_an_error_that_does_not_repeat_it() {
        for wrong in [
            "",
            "localhost",
            "http://localhost",
            "rediss+unix:///run/redis.sock",
            "redis+unix://run",
            "redis://:secret@",
            "redis://secret@host",
            "redis://:secret@host:99999",
            "redis://:secret@host/x",
            "redis://:secret@host#insecure",
            "redis://:secret@0.0.0.0",
            "redis://:secret@a,b",
            "redis:host",
            "redis-sentinel://:secret@a,b",
            "redis-sentinel://a,,b/name",
            "redis-cluster://:secret@a/2",
            "redis-cluster://",
            "redis-else://a",
        ] {
            let error = Address::parse(wrong).map(|it| it.to_string()).unwrap_err();
            assert_eq!(error, RedisError::Url, "{wrong}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}
