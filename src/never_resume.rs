//! The servers whose sessions are neither stored nor offered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use pki_types::ServerName;

use crate::host::Host;
use crate::{Error, ErrorKind};

/// A list of servers that all handles of a connector share, and that can change.
#[derive(Debug, Default)]
pub(crate) struct NeverResume {
    servers: RwLock<Servers>,
    // Every connection asks, and most connectors have no such server.
    is_empty: AtomicBool,
}

/// Servers by host, and which of its ports are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Servers(HashMap<ServerName<'static>, Ports>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ports {
    All,
    // invariant: not empty
    Some(Vec<u16>),
}

impl NeverResume {
    pub(crate) fn new(servers: Servers) -> Self {
        let list = Self::default();
        list.set(servers);
        list
    }

    /// Replaces the list.
    pub(crate) fn set(&self, servers: Servers) {
        let mut current = self.servers.write().unwrap_or_else(PoisonError::into_inner);
        self.is_empty.store(servers.0.is_empty(), Ordering::Relaxed);
        *current = servers;
    }

    /// Whether a server is on the list. Without a port, whether one of the host's ports is.
    pub(crate) fn contains(&self, host: &ServerName<'_>, port: Option<u16>) -> bool {
        if self.is_empty.load(Ordering::Relaxed) {
            return false;
        }
        let relative = match host {
            ServerName::DnsName(name) => name.as_ref().strip_suffix('.'),
            _ => None,
        };
        let relative = relative.and_then(|name| ServerName::try_from(name).ok());
        let servers = self.servers.read().unwrap_or_else(PoisonError::into_inner);
        servers.contains(relative.as_ref().unwrap_or(host), port)
    }
}

impl Servers {
    /// Parses a list of hosts, and of hosts with a port.
    pub(crate) fn parse<H: AsRef<str>>(
        servers: impl IntoIterator<Item = H>,
    ) -> Result<Self, Error> {
        let mut parsed = Self::default();
        for text in servers {
            let text = text.as_ref();
            let (host, port) = parse(text).ok_or_else(|| {
                let message = format!(
                    "{text:?} in never_resume is not a host: give a DNS name or an IP address, alone \
                     or with a port as in \"host:443\" or \"[2001:db8::1]:443\""
                );
                Error::new(ErrorKind::Config, message)
            })?;
            parsed.insert(host.server_name().clone(), port);
        }
        Ok(parsed)
    }

    fn insert(&mut self, host: ServerName<'static>, port: Option<u16>) {
        let ports = self.0.entry(host).or_insert(Ports::Some(Vec::new()));
        match (ports, port) {
            (ports, None) => *ports = Ports::All,
            (Ports::Some(ports), Some(port)) => ports.push(port),
            (Ports::All, Some(_)) => {}
        }
    }

    fn contains(&self, host: &ServerName<'_>, port: Option<u16>) -> bool {
        let servers: &HashMap<ServerName<'_>, Ports> = &self.0;
        match (servers.get(host), port) {
            (None, _) => false,
            (Some(Ports::All), _) | (Some(Ports::Some(_)), None) => true,
            (Some(Ports::Some(ports)), Some(port)) => ports.contains(&port),
        }
    }
}

/// Parses `host` or `host:port`. An IPv6 address with a port is in brackets.
fn parse(text: &str) -> Option<(Host, Option<u16>)> {
    if let Ok(host) = Host::parse(text) {
        return Some((host, None));
    }
    let (host, port) = text.rsplit_once(':')?;
    let is_bracketed = host.starts_with('[');
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host = Host::parse(host).ok()?;
    (is_bracketed || !host.as_str().contains(':')).then_some((host, Some(port)))
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;

    use super::*;

    fn list(servers: &[&str]) -> NeverResume {
        NeverResume::new(Servers::parse(servers).expect("a list"))
    }

    fn contains(list: &NeverResume, host: &str, port: Option<u16>) -> bool {
        let host = Host::parse(host).expect("a host");
        let mut found = false;
        let counted = measure(|| found = list.contains(host.server_name(), port));
        assert_eq!(counted.count_total, 0, "every connection asks");
        found
    }

    #[test]
    fn hosts_are_meant_with_all_ports() {
        let list = list(&["Pinned.example.", "[2001:db8::1]", "2001:db8::2:443"]);
        for host in ["PINNED.example", "2001:db8::1", "[2001:db8::2:443]"] {
            assert!(
                contains(&list, host, Some(443)) && contains(&list, host, None),
                "{host}"
            );
        }
        for host in ["other.example", "192.0.2.1", "2001:db8::2"] {
            assert!(!contains(&list, host, Some(443)), "{host}");
        }
    }

    /// As clients with a `client_config` may pass it.
    #[test]
    fn a_trailing_dot_makes_no_difference() {
        let name = ServerName::try_from("PINNED.example.").expect("a name");
        assert!(list(&["pinned.example"]).contains(&name, None));
    }

    #[test]
    fn ports_are_meant_alone() {
        let servers = [
            "a.example:443",
            "A.example.:8443",
            "[2001:db8::1]:443",
            "b:1",
            "b",
        ];
        let list = list(&servers);
        for (host, port, expected) in [
            ("a.example", 443, true),
            ("a.example", 8443, true),
            ("a.example", 25, false),
            ("2001:db8::1", 443, true),
            ("2001:db8::1", 444, false),
            ("b", 2, true),
        ] {
            assert_eq!(contains(&list, host, Some(port)), expected, "{host} {port}");
            assert!(
                contains(&list, host, None),
                "a client without ports: {host}"
            );
        }
    }

    #[test]
    fn the_list_can_change() {
        let list = list(&[]);
        assert!(!contains(&list, "a", Some(1)));
        list.set(Servers::parse(["a"]).expect("a list"));
        assert!(contains(&list, "a", Some(1)));
        list.set(Servers::default());
        assert!(!contains(&list, "a", Some(1)));
    }

    #[test]
    fn anything_else_is_rejected() {
        for wrong in [
            "",
            ":443",
            "a:",
            "a:0",
            "a:65536",
            "a:-1",
            "a:443:444",
            "a b:1",
            "https://a",
            "*.a:443",
            "1:2:3:4:5:6:7:8:443",
            "[::1]443",
            "[::1]:",
            "a/b",
        ] {
            let error = Servers::parse([wrong]).expect_err(wrong);
            assert!(
                error.to_string().contains("in never_resume is not a host"),
                "{error}"
            );
        }
    }
}
