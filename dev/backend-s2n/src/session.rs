//! What the store holds for a connection.

use std::fmt;
use std::time::Duration;

use store_core::{Encoded, Portable, Storable, Timestamp, Usage};
use zeroize::Zeroizing;

/// A session of s2n-tls, as it writes it down itself: the ticket and the secret that goes with it,
/// a quarter of a kilobyte beside the ticket. No certificate and no name is in it.
pub struct Session {
    bytes: Zeroizing<Vec<u8>>,
    // s2n-tls has the same in its bytes, to the nanosecond, and fails a handshake that is earlier.
    received: Timestamp,
}

impl Session {
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>, received: Timestamp) -> Self {
        Self { bytes, received }
    }

    /// For `Connection::set_session_ticket`.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn weight(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether s2n-tls can use it at this time.
    pub(crate) fn is_from_before(&self, now: Timestamp) -> bool {
        self.received <= now
    }
}

impl Storable for Session {
    fn duplicate(&self) -> Option<Self> {
        Some(Self::new(self.bytes.clone(), self.received))
    }
}

/// What s2n-tls writes protects nothing and says nothing of the server: whoever stores it seals it.
/// Bytes that s2n-tls cannot read are found out when a connection is prepared, and are a miss there.
impl Portable for Session {
    const FORMAT: u32 = 0x0003_0001;

    fn encode(&self) -> Option<Encoded> {
        let received = u64::try_from(self.received.since_epoch().as_nanos()).ok()?;
        Some(Encoded {
            facts: received.to_be_bytes().to_vec(),
            session: self.bytes.clone(),
        })
    }

    fn decode(encoded: &Encoded, _: Usage) -> Option<(Self, usize)> {
        let received = u64::from_be_bytes(encoded.facts.as_slice().try_into().ok()?);
        let received = Timestamp::from_unix(Duration::from_nanos(received));
        let bytes = Zeroizing::new(encoded.session.to_vec());
        if bytes.is_empty() {
            return None;
        }
        let session = Self::new(bytes, received);
        let weight = session.weight();
        Some((session, weight))
    }
}

impl fmt::Debug for Session {
    /// Shows nothing of the session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_comes_back_and_nothing_else_does() {
        let received = Timestamp::from_unix(Duration::new(1_000, 7));
        let session = Session::new(Zeroizing::new(b"bytes".to_vec()), received);
        let encoded = session.encode().expect("it can be written");
        let (again, weight) = Session::decode(&encoded, Usage::SingleUse).expect("the same");
        assert_eq!((again.bytes(), again.received), (&b"bytes"[..], received));
        assert!(weight >= 5);
        for len in 0..encoded.facts.len() {
            let facts = encoded.facts[..len].to_vec();
            let session = encoded.session.clone();
            assert!(Session::decode(&Encoded { facts, session }, Usage::Reusable).is_none());
        }
        let empty = Encoded {
            session: Zeroizing::default(),
            ..encoded
        };
        assert!(Session::decode(&empty, Usage::SingleUse).is_none());
    }
}
