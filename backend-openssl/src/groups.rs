//! The key-exchange groups that a context offers, in an order for a server whose group is known.
//!
//! A client sends key shares for some of its groups. If the server chooses another, it asks for its
//! share by a `HelloRetryRequest`, and the shares sent were computed in vain. The store knows the group
//! that the server chose last (the hint).

use std::ffi::CString;
use std::io::{self, Read, Write};

use openssl::ssl::{Ssl, SslContext, SslMethod, SslRef, SslStream};

use crate::ffi;

/// The number of no group.
pub(crate) const NO_GROUP: u16 = 0;
/// Groups that resist quantum computers: ML-KEM alone, and its hybrids.
const POST_QUANTUM: [u16; 6] = [0x200, 0x201, 0x202, 0x11eb, 0x11ec, 0x11ed];

/// The groups of a context.
pub(crate) struct Groups {
    /// All groups that it offers, with their names, in its order.
    offered: Vec<(u16, String)>,
    /// Those for which it sends a key share.
    shares: Vec<u16>,
}

/// The lists for `SSL_set1_groups_list`, by the group that the server chose last.
pub(crate) type Lists = Box<[(u16, CString)]>;

impl Groups {
    /// Reads the groups from the first message of an unused `Ssl` of the context: OpenSSL has no
    /// getter for them. `None` if it sends no key share, as in TLS 1.2.
    pub(crate) fn read(ssl: Ssl) -> Option<Self> {
        let mut stream = SslStream::new(ssl, FirstFlight(Vec::new())).ok()?;
        let _waiting = stream.connect(); // for the answer
        let (ids, shares) = read_client_hello(&stream.get_ref().0)?;
        let name = |id: u16| Some((id, ffi::group_name(stream.ssl(), id)?));
        let offered = ids.into_iter().map(name).collect::<Option<_>>()?;
        Some(Self { offered, shares })
    }

    /// The lists for all groups. None for a group with which the context's own first message is
    /// already as it should be.
    ///
    /// With `keep_post_quantum`, the key share of a post-quantum group stays in the first message.
    pub(crate) fn lists(&self, keep_post_quantum: bool) -> Lists {
        let ids = self.offered.iter().map(|(id, _)| *id);
        let list = |hint| Some((hint, self.list(hint, keep_post_quantum)?));
        ids.filter_map(list).collect()
    }

    fn list(&self, hint: u16, keep_post_quantum: bool) -> Option<CString> {
        let kept =
            |id| keep_post_quantum && POST_QUANTUM.contains(&id) && self.shares.contains(&id);
        let mut shares: Vec<_> = self.shares.iter().copied().filter(|id| kept(*id)).collect();
        if !shares.contains(&hint) {
            shares.push(hint);
        }
        let several = ffi::marks_key_shares();
        if !several && shares.len() > 1 {
            return None; // there is one key share, and it is kept
        }
        let (mut order, others): (Vec<_>, Vec<_>) =
            self.offered.iter().partition(|(id, _)| shares.contains(id));
        // Those kept come before the hint, so that a server that has learned them chooses them.
        order.sort_by_key(|(id, _)| shares.iter().position(|share| share == id));
        order.extend(others);
        let as_offered = order.iter().copied().eq(&self.offered);
        if as_offered && shares == self.shares {
            return None;
        }
        let entry = |(id, name): &&(u16, String)| {
            let mark = if several && shares.contains(id) {
                "*"
            } else {
                ""
            };
            format!("{mark}{name}")
        };
        let list: Vec<_> = order.iter().map(entry).collect();
        CString::new(list.join(":")).ok()
    }
}

/// The names of key-exchange groups in OpenSSL's group lists, by their numbers in IANA's "TLS Supported
/// Groups" registry. `None` for a group that this OpenSSL does not have.
pub fn group_names(groups: impl IntoIterator<Item = u16>) -> Vec<Option<String>> {
    let context = SslContext::builder(SslMethod::tls_client());
    let ssl = context.and_then(|context| Ssl::new(&context.build())).ok();
    let name = |group| ffi::group_name(ssl.as_ref()?, group);
    groups.into_iter().map(name).collect()
}

/// Makes `ssl` offer the group first, and with a key share, that `hint` names.
pub(crate) fn offer_first(ssl: &mut SslRef, lists: &Lists, hint: u16) {
    if let Some((_, list)) = lists.iter().find(|(group, _)| *group == hint) {
        ffi::set_groups_list(ssl, list);
    }
}

/// A transport that keeps what is written, and has nothing to read.
struct FirstFlight(Vec<u8>);

impl Read for FirstFlight {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for FirstFlight {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The groups in a `ClientHello` (RFC 8446, section 4.1.2) in one record, and those with a key share.
fn read_client_hello(record: &[u8]) -> Option<(Vec<u16>, Vec<u16>)> {
    const SUPPORTED_GROUPS: u16 = 10;
    const KEY_SHARE: u16 = 51;
    // The headers of the record and of the message, the version, the random number.
    let mut hello = Reader(record.get(5 + 4 + 2 + 32..)?);
    hello.vector(1)?; // session id
    hello.vector(2)?; // cipher suites
    hello.vector(1)?; // compression methods
    let mut extensions = hello.vector(2)?;
    let (mut groups, mut shares) = (None, None);
    while !extensions.0.is_empty() {
        let (kind, mut content) = (extensions.number(2)?, extensions.vector(2)?);
        match u16::try_from(kind) {
            Ok(SUPPORTED_GROUPS) => groups = content.vector(2)?.groups(false),
            Ok(KEY_SHARE) => shares = content.vector(2)?.groups(true),
            _ => {}
        }
    }
    Some((groups?, shares?))
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self, bytes: usize) -> Option<usize> {
        let bytes = self.0.split_off(..bytes)?;
        Some(
            bytes
                .iter()
                .fold(0, |all, one| all << 8 | usize::from(*one)),
        )
    }

    /// Bytes with their length before them.
    fn vector(&mut self, length: usize) -> Option<Self> {
        let length = self.number(length)?;
        self.0.split_off(..length).map(Self)
    }

    /// The groups to the end, each with a key share after it, or without.
    fn groups(mut self, shares: bool) -> Option<Vec<u16>> {
        let mut groups = Vec::new();
        while !self.0.is_empty() {
            groups.push(u16::try_from(self.number(2)?).ok()?);
            if shares {
                self.vector(2)?;
            }
        }
        Some(groups)
    }
}
