//! The host argument of the connectors' methods, parsed once in each.

use pki_types::ServerName;
use store_core::{HostRef, KeyRef, SecurityDomain};

use crate::{Error, ErrorKind};

/// A DNS name or an IP address.
#[derive(Clone, Debug)]
pub struct Host {
    // invariant: lower case, without brackets and without a trailing dot
    text: String,
    name: ServerName<'static>,
}

impl Host {
    pub(crate) fn parse(host: &str) -> Result<Self, Error> {
        Self::without_brackets_and_dot(host).ok_or_else(|| {
            let message = format!("{host:?} is neither a DNS name nor an IP address: correct it");
            Error::new(ErrorKind::Name, message)
        })
    }

    fn without_brackets_and_dot(host: &str) -> Option<Self> {
        let inner = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        let relative = inner.strip_suffix('.').unwrap_or(inner);
        if relative.ends_with('.') {
            return None;
        }
        let text = relative.to_ascii_lowercase();
        let name = ServerName::try_from(text.as_str()).ok()?.to_owned();
        Some(Self { text, name })
    }

    /// The text that is resolved and shown in errors.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The name that is sent in SNI, unless it is an IP address, and that the certificate must
    /// match.
    pub(crate) fn server_name(&self) -> &ServerName<'static> {
        &self.name
    }

    /// The key of this host's sessions in `domain`, without a port.
    pub(crate) fn key<'k>(&'k self, domain: &'k SecurityDomain) -> KeyRef<'k> {
        let host = match &self.name {
            ServerName::IpAddress(address) => HostRef::Address((*address).into()),
            _ => HostRef::Name(&self.text),
        };
        KeyRef::from_host(domain, host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R1: the key is the one that the store makes of the same text.
    #[test]
    fn keys_are_those_of_the_text() {
        let domain = SecurityDomain::from([1; 32]);
        for (given, text) in [
            ("Example.COM.", "example.com"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("192.0.2.1", "192.0.2.1"),
            ("host.1a", "host.1a"),
        ] {
            let host = Host::parse(given).expect("a host");
            assert_eq!(host.as_str(), text);
            assert!(host.key(&domain) == KeyRef::new(&domain, given), "{given}");
        }
    }
}
