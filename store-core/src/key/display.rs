//! How a server is shown to people: in events and as a label of metrics.

use std::fmt::{self, Write};
use std::net::IpAddr;

use super::{HostRef, KeyRef};

/// The length of the longest name in DNS: longer names are cut when they are shown.
const LONGEST_NAME: usize = 253;

/// Host and port for people, as in `example.com:443`, without domain and endpoint. On one printable line:
/// a name is in lower case, escaped, and cut after 253 characters, since a caller may pass any text.
impl fmt::Display for KeyRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host, self.port) {
            (HostRef::Name(name), _) => {
                let lower = name.chars().map(|char| char.to_ascii_lowercase());
                for char in lower.take(LONGEST_NAME).flat_map(char::escape_debug) {
                    f.write_char(char)?;
                }
            }
            (HostRef::Address(IpAddr::V6(address)), Some(_)) => write!(f, "[{address}]")?,
            (HostRef::Address(address), _) => write!(f, "{address}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecurityDomain;

    #[test]
    fn a_server_is_shown_with_its_port() {
        let domain = SecurityDomain::from([1; 32]);
        let shown = |host, port: Option<u16>| {
            let key = KeyRef::new(&domain, host);
            port.map_or(key, |port| key.with_port(port)).to_string()
        };
        assert_eq!(shown("A.Example.", Some(443)), "a.example:443");
        assert_eq!(shown("A.Example.", None), "a.example");
        assert_eq!(shown("192.0.2.1", Some(443)), "192.0.2.1:443");
        assert_eq!(shown("[::1]", Some(443)), "[::1]:443");
        assert_eq!(shown("[::1]", None), "::1");
    }

    /// A name can come from an attacker: by a redirect, or as the domain of a mail address.
    #[test]
    fn a_hostile_name_is_shown_cut_and_on_one_printable_line() {
        let domain = SecurityDomain::from([7; 32]);
        let hostile = format!(
            "a\nERROR forged\r\u{1b}[2J\u{202e}\0{}",
            "x".repeat(100_000)
        );
        let shown = KeyRef::from_host(&domain, HostRef::Name(&hostile)).to_string();
        assert!(shown.starts_with(r"a\nerror forged\r\u{1b}[2j\u{202e}\0xx"));
        assert!(shown.chars().all(|char| (' '..='~').contains(&char)));
        assert!(shown.len() < 300, "{}", shown.len());
    }
}
