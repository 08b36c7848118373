//! Sessions without a TLS library, and servers that exist as keys only.

use std::time::Duration;

use store_core::{
    Clock, Encoded, KeyRef, Portable, SecurityDomain, SessionKey, Storable, SystemClock, Usage,
};
use store_tiers::{KeyError, KeyRing, Record, SealError, Sealed};
use thiserror::Error;

/// Bytes of a session: about the size of an encoded TLS 1.3 session of OpenSSL and rustls. Its record
/// has 1.2 kB.
const BYTES: usize = 1_024;
/// Longer than any measurement: no record expires.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// A single-use session of 1 kB padding. Encoding and decoding cost nothing.
pub(super) struct Session(Vec<u8>);

impl Storable for Session {
    fn duplicate(&self) -> Option<Self> {
        None // only reusable sessions are duplicated
    }
}

impl Portable for Session {
    const FORMAT: u32 = u32::from_be_bytes(*b"none");

    fn encode(&self) -> Option<Encoded> {
        Some(Encoded {
            facts: Vec::new(),
            session: self.0.clone().into(),
        })
    }

    fn decode(encoded: &Encoded, _: Usage) -> Option<(Self, usize)> {
        Some((Self(encoded.session.to_vec()), encoded.session.len()))
    }
}

/// The servers of one process, each with one sealed session.
pub(super) struct Servers {
    pub(super) keys: Vec<SessionKey>,
    pub(super) records: Vec<Sealed>,
    /// The keys that the records are sealed with.
    pub(super) ring: KeyRing,
}

/// Records could not be made: the system provides no random numbers.
#[derive(Debug, Error)]
pub(super) enum RecordError {
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl Servers {
    /// Makes `count` servers. A new key ring makes them distinct from those of other processes.
    pub(super) fn new(count: usize) -> Result<Self, RecordError> {
        let ring = KeyRing::generate()?;
        let domain = SecurityDomain::builder("compare tiers").finish();
        let keys: Vec<_> = (0..count)
            .map(|number| {
                let host = format!("server-{number}.lab.example");
                KeyRef::new(&domain, &host).with_port(443).to_key()
            })
            .collect();
        let records = keys.iter().map(|key| seal(&ring, key));
        let records = records.collect::<Result<_, SealError>>()?;
        Ok(Self {
            keys,
            records,
            ring,
        })
    }
}

fn seal(ring: &KeyRing, key: &SessionKey) -> Result<Sealed, SealError> {
    let now = SystemClock.now();
    let (server, usage) = (ring.server_id(key.as_key()), Usage::SingleUse);
    let record = Record {
        key: key.clone(),
        format: Session::FORMAT,
        usage,
        established: now,
        expires: now.after(LIFETIME),
        facts: Vec::new(),
        session: vec![0x5a; BYTES].into(),
        address: None,
        application_data: None,
    };
    Ok(Sealed {
        server,
        usage,
        expires: record.expires,
        bytes: ring.seal(&record, &server)?,
    })
}
