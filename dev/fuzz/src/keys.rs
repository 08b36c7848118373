//! Any bytes as host, port, endpoint and fields of a domain.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};

use store_core::{HostRef, KeyRef, SecurityDomain, SessionKey};

/// What one server is described by, before the crate under test has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Described {
    purpose: String,
    fields: Vec<(String, Vec<Vec<u8>>)>,
    host: String,
    port: Option<u16>,
    endpoint: Option<Vec<u8>>,
}

/// Builds two keys and compares them as the crate does with as they were described.
///
/// # Panics
/// If the crate takes two servers for one, one for two, or equal keys hash differently.
pub fn keys(data: &[u8]) {
    let mut bytes = Bytes(data);
    let one = describe(&mut bytes);
    // What differs in one field only is the interesting case.
    let other = vary(&one, &mut bytes);
    let hasher = RandomState::new();
    let (domain, other_domain) = (one.domain(), other.domain());
    assert_eq!(domain, one.domain(), "a domain is a function of its fields");
    assert_eq!(
        domain == other_domain,
        (&one.purpose, &one.fields) == (&other.purpose, &other.fields),
        "{one:?} {other:?}"
    );

    let (key, other_key) = (one.key(&domain), other.key(&other_domain));
    let same = domain == other_domain
        && canonical(&one.host) == canonical(&other.host)
        && (one.port, &one.endpoint) == (other.port, &other.endpoint);
    assert_eq!(key == other_key, same, "{one:?} {other:?}");
    assert_eq!(key.to_key() == other_key.to_key(), same);
    assert_eq!(key == other_key.to_key().as_key(), same);
    if same {
        assert_eq!(hasher.hash_one(key), hasher.hash_one(other_key));
    }
    check(key, &hasher);
    check(other_key, &hasher);
    spellings(&one, &domain, &hasher);
}

/// What holds of every key by itself.
fn check(key: KeyRef<'_>, hasher: &RandomState) {
    let owned: SessionKey = key.to_key();
    assert_eq!(owned.as_key(), key);
    assert_eq!(owned.as_key().to_key(), owned);
    assert_eq!(hasher.hash_one(key), hasher.hash_one(&owned));
    assert_eq!(hasher.hash_one(key), hasher.hash_one(owned.as_key()));
    assert_eq!(owned.as_key().domain(), key.domain());
    // Of what is canonical already, the canonical form is the same.
    let again = KeyRef::from_host(key.domain(), key.host());
    assert_eq!(again.host(), key.host());
    assert_eq!(owned.as_key().host(), key.host());
    assert!(!format!("{key:?} {owned:?}").is_empty());
}

/// Spellings of one host meet.
fn spellings(described: &Described, domain: &SecurityDomain, hasher: &RandomState) {
    let key = described.key(domain);
    let mut spelled = vec![
        described.host.to_ascii_uppercase(),
        described.host.to_ascii_lowercase(),
    ];
    match canonical(&described.host) {
        Canonical::Address(address @ IpAddr::V6(_)) => {
            spelled.extend([address.to_string(), format!("[{address}]")]);
        }
        Canonical::Address(address) => spelled.push(address.to_string()),
        Canonical::Name(name) if !name.ends_with('.') => {
            // With the dot, the text of an address would be a name.
            spelled.push(format!("{name}."));
        }
        Canonical::Name(_) => {}
    }
    for host in spelled {
        let spelled = Described {
            host,
            ..described.clone()
        };
        assert_eq!(spelled.key(domain), key, "{spelled:?}");
        assert_eq!(hasher.hash_one(spelled.key(domain)), hasher.hash_one(key));
    }
}

/// What a host means, found in another way than the crate's.
#[derive(PartialEq)]
enum Canonical {
    Name(String),
    Address(IpAddr),
}

fn canonical(host: &str) -> Canonical {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Some(Ok(address)) = bare.map(str::parse::<Ipv6Addr>) {
        return Canonical::Address(address.into());
    }
    if let Ok(address) = host.parse() {
        return Canonical::Address(address);
    }
    let mut name = host.to_ascii_lowercase();
    if name.ends_with('.') && !name.ends_with("..") {
        name.pop();
    }
    Canonical::Name(name)
}

impl Described {
    fn domain(&self) -> SecurityDomain {
        let start = SecurityDomain::builder(&self.purpose);
        let add = |domain: store_core::DomainBuilder, (name, values): &(String, Vec<Vec<u8>>)| {
            match values.as_slice() {
                // A list of one is a field.
                [value] => domain.field(name, value),
                values => domain.list(name, values),
            }
        };
        self.fields.iter().fold(start, add).finish()
    }

    fn key<'a>(&'a self, domain: &'a SecurityDomain) -> KeyRef<'a> {
        let key = KeyRef::new(domain, &self.host);
        let parsed = KeyRef::from_host(domain, HostRef::parse(&self.host));
        assert_eq!(key, parsed, "two ways to name one host");
        let key = self.port.map_or(key, |port| key.with_port(port));
        let endpoint = self.endpoint.as_deref();
        endpoint.map_or(key, |endpoint| key.with_endpoint(endpoint))
    }
}

fn describe(bytes: &mut Bytes<'_>) -> Described {
    let flags = bytes.u8();
    Described {
        host: bytes.text(),
        port: (flags & 1 != 0).then(|| bytes.u16()),
        endpoint: (flags & 2 != 0).then(|| bytes.part()),
        purpose: bytes.text(),
        fields: (0..flags >> 6).map(|_| bytes.field()).collect(),
    }
}

/// The same server with one thing about it changed, or another one.
fn vary(one: &Described, bytes: &mut Bytes<'_>) -> Described {
    let mut other = one.clone();
    match bytes.u8() % 8 {
        0 => other.host = bytes.text(),
        1 => other.host.push_str(&bytes.text()),
        2 => other.port = (bytes.u8() & 1 != 0).then(|| bytes.u16()),
        3 => other.endpoint = (bytes.u8() & 1 != 0).then(|| bytes.part()),
        4 => other.purpose = bytes.text(),
        5 => other.fields.push(bytes.field()),
        6 => other.fields.rotate_left(one.fields.len().min(1)),
        _ => return describe(bytes),
    }
    other
}

/// What is left of an input; zeros once nothing is.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    /// Some bytes, after their number; a number above 250 is a long run of one byte.
    fn part(&mut self) -> Vec<u8> {
        let len = self.u8();
        if len > 250 {
            return vec![self.u8(); usize::from(len) + usize::from(self.u8())];
        }
        let (part, rest) = self.0.split_at(usize::from(len).min(self.0.len()));
        self.0 = rest;
        part.to_vec()
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.part()).into_owned()
    }

    fn field(&mut self) -> (String, Vec<Vec<u8>>) {
        let name = self.text();
        let values = self.u8() % 4;
        (name, (0..values).map(|_| self.part()).collect())
    }
}
