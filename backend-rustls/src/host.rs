//! Conversion of rustls's server names to the store's hosts.

use std::net::IpAddr;

use rustls::pki_types::ServerName;
use store_core::HostRef;

/// The host of a server name. Does not allocate or parse. `None` for kinds of names that rustls may
/// add (`ServerName` is non-exhaustive): no session is stored or found for them.
pub(crate) fn host_ref<'n>(name: &'n ServerName<'_>) -> Option<HostRef<'n>> {
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

    #[test]
    fn server_names_and_text_give_the_same_key() {
        let domain = SecurityDomain::from([1; 32]);
        for (given, text) in [
            ("www.example.com", "WWW.example.com."),
            ("www.example.com.", "www.example.com"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "[2001:DB8:0::1]"),
        ] {
            let name = ServerName::try_from(given).unwrap();
            let key = KeyRef::from_host(&domain, host_ref(&name).unwrap());
            assert_eq!(key, KeyRef::new(&domain, text), "{given}");
        }
    }
}
