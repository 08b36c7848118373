//! Sessions that are no library's, and servers that nobody runs.

use std::time::Duration;

use store_core::{
    Clock, Encoded, KeyRef, Portable, SecurityDomain, SessionKey, Storable, SystemClock, Usage,
};
use store_tiers::{KeyError, KeyRing, Record, SealError, Sealed};
use thiserror::Error;

/// Bytes of a session: about as many as OpenSSL and rustls write of one of TLS 1.3. With what is
/// around it, a record has 1.2 kB.
const BYTES: usize = 1_024;
/// No record expires while it is measured.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// A kilobyte without meaning, to be used once. It costs nothing to encode and decode.
pub(super) struct Session(Vec<u8>);

impl Storable for Session {
    fn duplicate(&self) -> Option<Self> {
        None // only a reusable one needs it
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

/// Servers of one process, each with one session, sealed.
pub(super) struct Servers {
    pub(super) keys: Vec<SessionKey>,
    pub(super) records: Vec<Sealed>,
    /// What the records are sealed with.
    pub(super) ring: KeyRing,
}

/// No records: the system gives no random numbers.
#[derive(Debug, Error)]
pub(super) enum NoRecords {
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl Servers {
    /// So many, which no other process has: the keys are drawn anew.
    pub(super) fn new(count: usize) -> Result<Self, NoRecords> {
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
    };
    Ok(Sealed {
        server,
        usage,
        expires: record.expires,
        bytes: ring.seal(&record, &server)?,
    })
}
