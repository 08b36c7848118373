//! An IP address of a server, in a few bytes.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

/// Identifies an IP address among those of one server.
///
/// An IPv4 address by its own 32 bits, another by a hash of 32 bits: two of a thousand addresses have the
/// same id with a probability of 1 in 10,000, and then count as one. The same in every process.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressId(NonZeroU32);

impl AddressId {
    /// The id with this number, as [`get`](Self::get) returned it; `None` for 0.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// Its number.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Debug for AddressId {
    /// Does not show the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressId")
    }
}

impl From<IpAddr> for AddressId {
    fn from(address: IpAddr) -> Self {
        let bits = match address.to_canonical() {
            IpAddr::V4(address) => address.to_bits(),
            IpAddr::V6(address) => fold(address.to_bits()),
        };
        Self(NonZeroU32::new(bits).unwrap_or(NonZeroU32::MAX))
    }
}

/// A hash by multiplication: its upper bits depend on all bits of the address.
fn fold(bits: u128) -> u32 {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let product = bits.wrapping_mul(ODD);
    let [a, b, c, d, ..] = (product ^ (product << 61)).to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn addresses_have_ids_of_their_own() {
        let v4 = (0..1_000_u32).map(|host| IpAddr::from(Ipv4Addr::from(0x0a00_0001 + host)));
        let net = 0x2001_0db8_u128 << 96;
        let v6 = (0..1_000_u128).map(|host| IpAddr::from(Ipv6Addr::from(net | host)));
        let nets = (1..1_000_u128).map(|part| IpAddr::from(Ipv6Addr::from(net | part << 64)));
        let all: Vec<IpAddr> = v4.chain(v6).chain(nets).collect();
        let ids: HashSet<AddressId> = all.iter().copied().map(AddressId::from).collect();
        assert_eq!(ids.len(), all.len());
        for id in ids {
            assert_eq!(AddressId::new(id.get()), Some(id));
        }
    }

    #[test]
    fn an_address_has_one_id_in_both_forms() {
        let v4 = Ipv4Addr::new(192, 0, 2, 7);
        let mapped = IpAddr::from(v4.to_ipv6_mapped());
        assert_eq!(AddressId::from(IpAddr::from(v4)), AddressId::from(mapped));
        let unspecified = AddressId::from(IpAddr::from(Ipv4Addr::UNSPECIFIED));
        assert_eq!(unspecified.get(), u32::MAX);
        assert_eq!(AddressId::new(0), None);
    }
}
