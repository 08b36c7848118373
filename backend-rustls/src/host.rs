//! The server name that rustls speaks of, as the store's host.

use std::net::IpAddr;

use rustls::pki_types::ServerName;
use store_core::HostRef;

/// The host that `name` stands for. Allocates nothing. `None` for kinds of names that did not
/// exist when this was written: no session is stored or found for them.
pub(crate) fn host<'n>(name: &'n ServerName<'_>) -> Option<HostRef<'n>> {
    match name {
        ServerName::DnsName(name) => Some(HostRef::Name(name.as_ref())),
        ServerName::IpAddress(address) => Some(HostRef::Address(IpAddr::from(*address))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store_core::{KeyRef, SecurityDomain};

    /// Names and addresses meet the keys that are made from text.
    #[test]
    fn rustls_names_are_the_stores_hosts() {
        let domain = SecurityDomain::from([1; 32]);
        for (given, text) in [
            ("www.example.com", "WWW.example.com."),
            ("www.example.com.", "www.example.com"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "[2001:DB8:0::1]"),
        ] {
            let name = ServerName::try_from(given).unwrap();
            let key = KeyRef::from_host(&domain, host(&name).unwrap());
            assert_eq!(key, KeyRef::new(&domain, text), "{given}");
        }
    }
}
