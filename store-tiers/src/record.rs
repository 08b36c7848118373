//! The plaintext of a sealed record.

use std::fmt;
use std::time::Duration;
use store_core::{AddressId, ApplicationData, SessionKey, Timestamp, Usage};
use zeroize::Zeroizing;

/// A serialized session: the TLS library's encoding of it, and the metadata that the store and the
/// backend need.
///
/// In a record's own encoding, fields of variable length have their length before them; trailing
/// bytes are rejected.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The server that the session is for.
    pub key: SessionKey,
    /// The backend's number for its format of `session` and `facts`. Records of another format are
    /// not decoded.
    pub format: u32,
    /// Whether the session is single-use or reusable.
    pub usage: Usage,
    /// The time of the full handshake that the session descends from.
    pub established: Timestamp,
    /// When the session expires.
    pub expires: Timestamp,
    /// What the backend needs to decide which connections may use the session, such as how its peer
    /// was verified.
    pub facts: Vec<u8>,
    /// The session in the TLS library's encoding. Wiped on drop.
    pub session: Zeroizing<Vec<u8>>,
    /// The address of the server that gave the session, if it is known.
    pub address: Option<AddressId>,
    /// What the application keeps beside the session.
    pub application_data: Option<ApplicationData>,
}

impl Record {
    /// Encodes the part that is encrypted: all but `expires` and `format`, which are in the
    /// authenticated header.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let key = self.key.as_key().encode();
        let beside = self.application_data.as_deref().unwrap_or_default();
        let parts: [&[u8]; 4] = [&key, &self.facts, &self.session, beside];
        let capacity = 1 + 8 + 4 + parts.iter().map(|part| 4 + part.len()).sum::<usize>();
        // Exact, because a buffer that grows leaves secrets in freed memory.
        let mut out = Zeroizing::new(Vec::with_capacity(capacity));
        out.push(match self.usage {
            Usage::SingleUse => 1,
            Usage::Reusable => 2,
        });
        out.extend(millis(self.established).to_be_bytes());
        out.extend(self.address.map_or(0, AddressId::get).to_be_bytes());
        for part in parts {
            // No session is that long, and `decode` rejects the length.
            let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
            out.extend(len.to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    /// Decodes the output of [`encode`](Self::encode), with the fields from the header.
    pub(crate) fn decode(plain: &[u8], format: u32, expires: Timestamp) -> Option<Self> {
        let (usage, rest) = plain.split_first()?;
        let usage = match usage {
            1 => Usage::SingleUse,
            2 => Usage::Reusable,
            _ => return None,
        };
        let (established, rest) = rest.split_first_chunk()?;
        let (address, rest) = rest.split_first_chunk()?;
        let (key, rest) = split_field(rest)?;
        let (facts, rest) = split_field(rest)?;
        let (session, rest) = split_field(rest)?;
        let (beside, rest) = split_field(rest)?;
        let application_data = match beside {
            [] => None,
            beside => Some(beside.try_into().ok()?),
        };
        rest.is_empty().then_some(Self {
            key: SessionKey::decode(key)?,
            format,
            usage,
            established: timestamp(u64::from_be_bytes(*established)),
            expires,
            facts: facts.to_vec(),
            session: session.to_vec().into(),
            address: AddressId::new(u32::from_be_bytes(*address)),
            application_data,
        })
    }
}

impl fmt::Debug for Record {
    /// Shows everything but the session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("key", &self.key)
            .field("format", &self.format)
            .field("usage", &self.usage)
            .field("established", &self.established)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// The encoding of a point in time: milliseconds since the Unix epoch.
pub(crate) fn millis(time: Timestamp) -> u64 {
    u64::try_from(time.since_epoch().as_millis()).unwrap_or(u64::MAX)
}

/// Decodes [`millis`].
pub(crate) fn timestamp(millis: u64) -> Timestamp {
    Timestamp::from_unix(Duration::from_millis(millis))
}

/// Splits off a field with its length before it.
fn split_field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use store_core::{KeyRef, SecurityDomain};

    fn record() -> Record {
        let domain = SecurityDomain::from([9; 32]);
        Record {
            key: KeyRef::new(&domain, "example.com").to_key(),
            format: 7,
            usage: Usage::Reusable,
            established: timestamp(1_234),
            expires: timestamp(5_678),
            facts: b"facts".to_vec(),
            session: b"session".to_vec().into(),
            address: AddressId::new(7),
            application_data: Some((&b"settings"[..]).try_into().expect("it fits")),
        }
    }

    #[test]
    fn an_encoded_record_decodes() {
        let mut record = record();
        for _ in 0..2 {
            let decoded = Record::decode(&record.encode(), record.format, record.expires);
            assert_eq!(decoded.as_ref(), Some(&record));
            (record.address, record.application_data) = (None, None);
        }
    }

    /// R23: neither a truncated record nor one with trailing bytes decodes.
    #[test]
    fn any_other_length_is_rejected() {
        let (record, plain) = (record(), record().encode());
        let decode = |plain: &[u8]| Record::decode(plain, record.format, record.expires);
        for len in 0..plain.len() {
            assert_eq!(decode(&plain[..len]), None, "{len}");
        }
        let longer: Vec<u8> = plain.iter().copied().chain([0]).collect();
        assert_eq!(decode(&longer), None);
    }

    #[test]
    fn an_unknown_usage_is_rejected() {
        let mut plain = record().encode();
        plain[0] = 3;
        assert_eq!(Record::decode(&plain, 7, timestamp(0)), None);
    }

    #[test]
    fn the_buffer_of_an_encoding_never_grows() {
        let plain = record().encode();
        assert_eq!(plain.capacity(), plain.len());
    }
}
