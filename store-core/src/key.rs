//! The keys under which sessions are stored.

mod display;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};

use crate::SecurityDomain;

/// A server in a security domain: its host and, optionally, its port and an endpoint.
///
/// Host names are in lower case and without a trailing dot, IP addresses are binary, so that all
/// spellings of a server are one key. The owned form of [`KeyRef`].
#[derive(Clone)]
pub struct SessionKey {
    domain: SecurityDomain,
    host: Host,
    port: Option<u16>,
    endpoint: Option<Box<[u8]>>,
}

#[derive(Clone)]
enum Host {
    // invariant: lower case, and without the trailing dot of an absolute name
    Name(String),
    Address(IpAddr),
}

impl SessionKey {
    /// The same key, borrowed.
    pub fn as_key(&self) -> KeyRef<'_> {
        let host = match &self.host {
            Host::Name(name) => HostRef::Name(name),
            Host::Address(address) => HostRef::Address(*address),
        };
        KeyRef {
            domain: &self.domain,
            host,
            port: self.port,
            endpoint: self.endpoint.as_deref(),
        }
    }

    /// Sets the key, and reuses the memory of the name.
    pub fn set(&mut self, key: KeyRef<'_>) {
        if self.matches(&key) {
            return;
        }
        match (&mut self.host, key.host) {
            (Host::Name(name), HostRef::Name(new)) => {
                name.clear();
                name.push_str(new);
                name.make_ascii_lowercase();
            }
            (host, _) => *host = key.to_key().host,
        }
        self.domain = *key.domain;
        self.port = key.port;
        if self.endpoint.as_deref() != key.endpoint {
            self.endpoint = key.endpoint.map(Into::into);
        }
    }

    /// Compares without the cost of [`as_key`](Self::as_key).
    #[inline(never)] // a connection compares three times
    pub(crate) fn matches(&self, key: &KeyRef<'_>) -> bool {
        let same_host = match (&self.host, key.host) {
            // Bytes first: most names come in lower case, and comparing them is quick.
            (Host::Name(one), HostRef::Name(other)) => {
                **one == *other || eq_ignore_case(one, other)
            }
            (Host::Address(one), HostRef::Address(other)) => *one == other,
            _ => false,
        };
        same_host
            && self.port == key.port
            && self.domain == *key.domain
            && self.endpoint.as_deref() == key.endpoint
    }

    /// Decodes what [`KeyRef::encode`] returned; `None` for any other input.
    pub fn decode(encoded: &[u8]) -> Option<Self> {
        let (domain, mut rest) = encoded.split_first_chunk::<32>()?;
        let kind = rest.split_off_first()?;
        let mut field = || {
            let present = rest.split_off_first()?;
            let len = u64::from_be_bytes(rest.split_off(..8)?.try_into().ok()?);
            let field = rest.split_off(..usize::try_from(len).ok()?)?;
            Some((*present == 1).then_some(field))
        };
        let (host, port, endpoint) = (field()??, field()?, field()?);
        let host = match kind {
            b'n' => Host::Name(std::str::from_utf8(host).ok()?.into()),
            b'4' => Host::Address(<[u8; 4]>::try_from(host).ok()?.into()),
            b'6' => Host::Address(<[u8; 16]>::try_from(host).ok()?.into()),
            _ => return None,
        };
        let port = match port {
            Some(port) => Some(u16::from_be_bytes(port.try_into().ok()?)),
            None => None,
        };
        let key = Self {
            domain: SecurityDomain::from(*domain),
            host,
            port,
            endpoint: endpoint.map(Into::into),
        };
        // Each key has one encoding. Others are rejected: a name in upper case, bytes in an absent
        // field.
        (key.as_key().encode() == encoded).then_some(key)
    }
}

impl PartialEq for SessionKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_key() == other.as_key()
    }
}

impl Eq for SessionKey {}

impl Hash for SessionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_key().hash(state);
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_key().fmt(f)
    }
}

/// A borrowed [`SessionKey`]: a look-up with it allocates nothing.
#[derive(Clone, Copy)]
pub struct KeyRef<'a> {
    domain: &'a SecurityDomain,
    host: HostRef<'a>,
    port: Option<u16>,
    endpoint: Option<&'a [u8]>,
}

impl<'a> KeyRef<'a> {
    /// The server `host` in `domain`. `host` is the name as sent in SNI, or the text of an IP
    /// address (an IPv6 address also in brackets). Case and a trailing dot make no difference.
    pub fn new(domain: &'a SecurityDomain, host: &'a str) -> Self {
        Self::from_host(domain, HostRef::parse(host))
    }

    /// [`new`](Self::new) for a parsed host.
    pub fn from_host(domain: &'a SecurityDomain, host: HostRef<'a>) -> Self {
        Self {
            domain,
            host: host.canonical(),
            port: None,
            endpoint: None,
        }
    }

    /// Adds the port: each port is then a server of its own.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self {
            port: Some(port),
            ..self
        }
    }

    /// Adds an endpoint, which separates machines with one name that do not share ticket keys:
    /// usually the address of the connection, but any bytes will do.
    #[must_use]
    pub fn with_endpoint(self, endpoint: &'a [u8]) -> Self {
        Self {
            endpoint: Some(endpoint),
            ..self
        }
    }

    /// The security domain.
    pub fn domain(&self) -> &'a SecurityDomain {
        self.domain
    }

    /// The host without a trailing dot; a name may contain upper-case letters.
    pub fn host(&self) -> HostRef<'a> {
        self.host
    }

    /// The port, if it is part of the key.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Bytes that an owned copy occupies on the heap.
    #[inline]
    pub(crate) fn heap_bytes(&self) -> usize {
        let name = match self.host {
            HostRef::Name(name) => name.len(),
            HostRef::Address(_) => 0,
        };
        name + self.endpoint.map_or(0, <[u8]>::len)
    }

    /// The key in bytes, each field with its length. All spellings of a host have one encoding.
    pub fn encode(self) -> Vec<u8> {
        let (kind, host) = match self.host {
            HostRef::Name(name) => (b'n', name.to_ascii_lowercase().into_bytes()),
            HostRef::Address(IpAddr::V4(address)) => (b'4', address.octets().to_vec()),
            HostRef::Address(IpAddr::V6(address)) => (b'6', address.octets().to_vec()),
        };
        let port = self.port.map(u16::to_be_bytes);
        let port: &[u8] = port.as_ref().map_or(&[], |port| port);
        let mut out = self.domain.as_bytes().to_vec();
        // A flag distinguishes an absent field from an empty one.
        let fields = [
            Some(host.as_slice()),
            self.port.map(|_| port),
            self.endpoint,
        ];
        out.push(kind);
        for field in fields {
            out.push(field.is_some().into());
            let field = field.unwrap_or_default();
            out.extend((field.len() as u64).to_be_bytes());
            out.extend_from_slice(field);
        }
        out
    }

    /// An owned copy.
    pub fn to_key(self) -> SessionKey {
        let host = match self.host {
            HostRef::Name(name) => Host::Name(to_lowercase(name)),
            HostRef::Address(address) => Host::Address(address),
        };
        SessionKey {
            domain: *self.domain,
            host,
            port: self.port,
            endpoint: self.endpoint.map(Into::into),
        }
    }
}

/// Nearly every name is in lower case: a test for that is less code than to change it.
fn to_lowercase(name: &str) -> String {
    let mut owned = String::from(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        make_lowercase(&mut owned);
    }
    owned
}

#[cold]
fn make_lowercase(name: &mut str) {
    name.make_ascii_lowercase();
}

#[cold]
fn eq_ignore_case(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

impl<'a> From<&'a SessionKey> for KeyRef<'a> {
    fn from(key: &'a SessionKey) -> Self {
        key.as_key()
    }
}

impl PartialEq for KeyRef<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.host == other.host
            && self.port == other.port
            && self.endpoint == other.endpoint
            && self.domain == other.domain
    }
}

impl Eq for KeyRef<'_> {}

impl Hash for KeyRef<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The domain is a digest already: part of it is as random as the whole. Equality compares
        // the whole.
        let domain = self.domain.as_bytes().first_chunk().copied();
        let domain = u64::from_le_bytes(domain.unwrap_or_default());
        // The fields that are present, and the lengths of those hashed below, in one number.
        let port = self.port.map_or(0, |port| 1 << 16 | u64::from(port));
        let endpoint = self
            .endpoint
            .map_or(0, |endpoint| endpoint.len() as u64 + 1);
        let shape = port | endpoint.rotate_right(16);
        match self.host {
            HostRef::Name(name) => {
                let shape = shape | (name.len() as u64) << 19;
                state.write_u128(u128::from(domain) << 64 | u128::from(shape));
                hash_name(name.as_bytes(), state);
            }
            HostRef::Address(address) => hash_address(address, domain, shape, state),
        }
        if let Some(endpoint) = self.endpoint {
            hash_endpoint(endpoint, state);
        }
    }
}

#[cold]
fn hash_address<H: Hasher>(address: IpAddr, domain: u64, shape: u64, state: &mut H) {
    let (kind, bits) = match address {
        IpAddr::V4(address) => (1, address.to_bits().into()),
        IpAddr::V6(address) => (2, address.to_bits()),
    };
    let shape = shape | kind << 17;
    state.write_u128(u128::from(domain) << 64 | u128::from(shape));
    state.write_u128(bits);
}

#[cold]
fn hash_endpoint<H: Hasher>(endpoint: &[u8], state: &mut H) {
    state.write(endpoint);
}

/// Hashes a name without regard to case, sixteen bytes at a time.
#[inline]
fn hash_name<H: Hasher>(name: &[u8], state: &mut H) {
    /// Turns upper-case letters into lower-case ones. Some other characters collide: equality
    /// distinguishes them.
    const FOLD: u128 = u128::from_ne_bytes([0x20; 16]);
    let (chunks, rest) = name.as_chunks();
    for chunk in chunks {
        state.write_u128(u128::from_le_bytes(*chunk) | FOLD);
    }
    if rest.is_empty() {
        return;
    }
    // The last 16 or 8 bytes, which overlap those before them: quicker than to copy the rest.
    let last = if let Some(last) = name.last_chunk() {
        u128::from_le_bytes(*last)
    } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        u128::from(u64::from_le_bytes(*first)) << 64 | u128::from(u64::from_le_bytes(*last))
    } else {
        name.iter()
            .fold(0, |sum, byte| sum << 8 | u128::from(*byte))
    };
    state.write_u128(last | FOLD);
}

impl fmt::Debug for KeyRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRef")
            .field("domain", self.domain)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("endpoint", &self.endpoint)
            .finish()
    }
}

/// A host: a name or an IP address.
#[derive(Clone, Copy, Debug)]
pub enum HostRef<'a> {
    /// A DNS name; letters compare without regard to case.
    Name(&'a str),
    /// An IP address.
    Address(IpAddr),
}

impl<'a> HostRef<'a> {
    /// Parses the text of an IP address; anything else is a name.
    pub fn parse(host: &'a str) -> Self {
        // Most hosts are names, and parsing an address costs more than anything else here.
        if !host.contains(':') && !host.ends_with(|last: char| last.is_ascii_digit()) {
            return Self::Name(host).canonical();
        }
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Some(address) = bare.and_then(|text| text.parse::<Ipv6Addr>().ok()) {
            return Self::Address(address.into());
        }
        match host.parse::<IpAddr>() {
            Ok(address) => Self::Address(address),
            Err(_) => Self::Name(host).canonical(),
        }
    }

    /// Without the trailing dot of an absolute name. A text that ends in two dots is no name and
    /// stays as it is, so that this is idempotent.
    fn canonical(self) -> Self {
        match self {
            Self::Name(name) => match name.strip_suffix('.') {
                Some(relative) if !relative.ends_with('.') => Self::Name(relative),
                _ => self,
            },
            Self::Address(_) => self,
        }
    }
}

impl PartialEq for HostRef<'_> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            // Bytes first: most names come in lower case, and comparing them is quick.
            (Self::Name(one), Self::Name(other)) => one == other || one.eq_ignore_ascii_case(other),
            (Self::Address(one), Self::Address(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for HostRef<'_> {}

#[cfg(test)]
mod tests;
