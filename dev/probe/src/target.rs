//! The argument `HOST[:PORT]`.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use pki_types::ServerName;
use thiserror::Error;

/// The server to probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A DNS name or an IP address, without brackets.
    pub host: String,
    /// The port, if given.
    pub port: Option<u16>,
}

impl Target {
    /// Resolves the host. The addresses have `port`, and the system's order.
    pub fn resolve(&self, port: u16) -> io::Result<Vec<SocketAddr>> {
        // Not every resolver accepts a trailing dot.
        let host = self.host.strip_suffix('.').unwrap_or(&self.host);
        let addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
        }
        Ok(addresses)
    }
}

/// A text that is no `HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    /// The port is no number from 1 to 65535.
    #[error("`{0}` is no port: give a number from 1 to 65535")]
    Port(String),
    /// The host is neither a DNS name nor an IP address.
    #[error("`{0}` is neither a DNS name nor an IP address: give HOST[:PORT]")]
    Host(String),
    /// The text has a scheme or a path.
    #[error("give HOST[:PORT], not a URL")]
    Url,
    /// An IPv6 address without brackets: a colon could begin a port.
    #[error("write an IPv6 address in brackets: {0}")]
    Brackets(String),
    /// Brackets that do not enclose the host.
    #[error("write an IPv6 address as [ADDRESS] or [ADDRESS]:PORT")]
    Unbalanced,
}

/// How to write an IPv6 address that has no brackets: its last group may be meant as the port.
fn in_brackets(text: &str) -> Option<String> {
    let is_address = |text: &str| text.parse::<Ipv6Addr>().is_ok();
    let alone = is_address(text).then(|| format!("[{text}]"));
    let with_port = text
        .rsplit_once(':')
        .filter(|(host, port)| is_address(host) && port.parse::<u16>().is_ok())
        .map(|(host, port)| format!("[{host}]:{port}"));
    match (with_port, alone) {
        (Some(with_port), Some(alone)) => Some(format!("{with_port}, or {alone} without a port")),
        (with_port, alone) => with_port.or(alone),
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if text.contains('/') {
            return Err(TargetError::Url);
        }
        if let Some(address) = in_brackets(text) {
            return Err(TargetError::Brackets(address));
        }
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, rest)) => match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => return Err(TargetError::Unbalanced),
            },
            None if text.starts_with('[') => return Err(TargetError::Unbalanced),
            None => match text.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port {
            None => None,
            Some(digits) => match digits.parse() {
                Ok(port) if port > 0 => Some(port),
                _ => return Err(TargetError::Port(digits.to_owned())),
            },
        };
        if ServerName::try_from(host).is_err() {
            return Err(TargetError::Host(host.to_owned()));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_parsed() {
        for (text, shown) in [
            ("example.org", "example.org"),
            ("example.org:8443", "example.org:8443"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("[::1]", "[::1]"),
            ("[2001:db8::1]:65535", "[2001:db8::1]:65535"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_trailing_dot_is_not_resolved() {
        let target: Target = "localhost.:1".parse().unwrap();
        assert!(!target.resolve(1).unwrap().is_empty());
    }

    #[test]
    fn other_texts_are_rejected_with_advice() {
        for (text, expected) in [
            ("", "neither"),
            (":443", "neither"),
            ("two words", "neither"),
            ("[::1", "[ADDRESS]:PORT"),
            ("[::1]443", "[ADDRESS]:PORT"),
            ("https://example.org:1/", "not a URL"),
            ("example.org/", "not a URL"),
            ("example.org:", "no port"),
            ("example.org:0", "no port"),
            ("example.org:65536", "no port"),
            ("::1", ": [::1]"),
            ("::1:443", ": [::1]:443, or [::1:443] without"),
            ("::1:65535", ": [::1]:65535"),
            ("2001:db8::1", ": [2001:db8::1]"),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
