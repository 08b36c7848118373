//! The fuzz target `keys`: its input is two servers and two domains.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};

use bytes::Buf;
use store_core::{HostRef, KeyRef, SecurityDomain, SessionKey};

/// The fields of one key and its domain.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Description {
    purpose: String,
    fields: Vec<(String, Vec<Vec<u8>>)>,
    host: String,
    port: Option<u16>,
    endpoint: Option<Vec<u8>>,
}

/// Builds two keys, and compares the crate's comparison of them with that of their fields.
///
/// # Panics
/// If the crate confuses two servers, distinguishes two spellings of one, or hashes equal keys
/// differently.
pub fn keys(mut data: &[u8]) {
    let one = read_description(&mut data);
    // A difference in one field is the interesting case.
    let other = vary(&one, &mut data);
    let hasher = RandomState::new();
    let (domain, other_domain) = (one.domain(), other.domain());
    assert_eq!(domain, one.domain(), "the same fields, the same domain");
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
    check_spellings(&one, &domain, &hasher);
}

/// Checks the properties of a single key.
fn check(key: KeyRef<'_>, hasher: &RandomState) {
    let owned: SessionKey = key.to_key();
    assert_eq!(owned.as_key(), key);
    assert_eq!(owned.as_key().to_key(), owned);
    assert_eq!(hasher.hash_one(key), hasher.hash_one(&owned));
    assert_eq!(hasher.hash_one(key), hasher.hash_one(owned.as_key()));
    assert_eq!(owned.as_key().domain(), key.domain());
    // The canonical form is idempotent.
    let again = KeyRef::from_host(key.domain(), key.host());
    assert_eq!(again.host(), key.host());
    assert_eq!(owned.as_key().host(), key.host());
    assert!(!format!("{key:?} {owned:?}").is_empty());
}

/// Checks that spellings of one host are one key.
fn check_spellings(description: &Description, domain: &SecurityDomain, hasher: &RandomState) {
    let key = description.key(domain);
    let mut spelled = vec![
        description.host.to_ascii_uppercase(),
        description.host.to_ascii_lowercase(),
    ];
    match canonical(&description.host) {
        Canonical::Address(address @ IpAddr::V6(_)) => {
            spelled.extend([address.to_string(), format!("[{address}]")]);
        }
        Canonical::Address(address) => spelled.push(address.to_string()),
        Canonical::Name(name) if !name.ends_with('.') => {
            // Not for addresses: with a dot, their text is a name.
            spelled.push(format!("{name}."));
        }
        Canonical::Name(_) => {}
    }
    for host in spelled {
        let spelled = Description {
            host,
            ..description.clone()
        };
        assert_eq!(spelled.key(domain), key, "{spelled:?}");
        assert_eq!(hasher.hash_one(spelled.key(domain)), hasher.hash_one(key));
    }
}

/// A parsed host, by an implementation of its own.
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

impl Description {
    fn domain(&self) -> SecurityDomain {
        let start = SecurityDomain::builder(&self.purpose);
        let add = |domain: store_core::DomainBuilder, (name, values): &(String, Vec<Vec<u8>>)| {
            match values.as_slice() {
                // A list of one value is a field.
                [value] => domain.field(name, value),
                values => domain.list(name, values),
            }
        };
        self.fields.iter().fold(start, add).finish()
    }

    fn key<'a>(&'a self, domain: &'a SecurityDomain) -> KeyRef<'a> {
        let key = KeyRef::new(domain, &self.host);
        let parsed = KeyRef::from_host(domain, HostRef::parse(&self.host));
        assert_eq!(key, parsed, "`new` parses the host");
        let key = self.port.map_or(key, |port| key.with_port(port));
        let endpoint = self.endpoint.as_deref();
        endpoint.map_or(key, |endpoint| key.with_endpoint(endpoint))
    }
}

fn read_description(data: &mut &[u8]) -> Description {
    let flags = read_u8(data);
    Description {
        host: read_text(data),
        port: (flags & 1 != 0).then(|| read_u16(data)),
        endpoint: (flags & 2 != 0).then(|| read_bytes(data)),
        purpose: read_text(data),
        fields: (0..flags >> 6).map(|_| read_field(data)).collect(),
    }
}

/// The same server with one field changed, or another server.
fn vary(one: &Description, data: &mut &[u8]) -> Description {
    let mut other = one.clone();
    match read_u8(data) % 8 {
        0 => other.host = read_text(data),
        1 => other.host.push_str(&read_text(data)),
        2 => other.port = (read_u8(data) & 1 != 0).then(|| read_u16(data)),
        3 => other.endpoint = (read_u8(data) & 1 != 0).then(|| read_bytes(data)),
        4 => other.purpose = read_text(data),
        5 => other.fields.push(read_field(data)),
        6 => other.fields.rotate_left(one.fields.len().min(1)),
        _ => return read_description(data),
    }
    other
}

// An input that has ended reads as zeros.

fn read_u8(data: &mut &[u8]) -> u8 {
    data.try_get_u8().unwrap_or(0)
}

fn read_u16(data: &mut &[u8]) -> u16 {
    data.try_get_u16().unwrap_or(0)
}

/// Reads a length and as many bytes; a length above 250 gives a long run of one byte.
fn read_bytes(data: &mut &[u8]) -> Vec<u8> {
    let len = read_u8(data);
    if len > 250 {
        return vec![read_u8(data); usize::from(len) + usize::from(read_u8(data))];
    }
    let len = usize::from(len).min(data.len());
    data.split_off(..len).unwrap_or_default().to_vec()
}

fn read_text(data: &mut &[u8]) -> String {
    String::from_utf8_lossy(&read_bytes(data)).into_owned()
}

fn read_field(data: &mut &[u8]) -> (String, Vec<Vec<u8>>) {
    let name = read_text(data);
    let values = read_u8(data) % 4;
    (name, (0..values).map(|_| read_bytes(data)).collect())
}
