//! A session as the store keeps it.

use std::fmt;
use std::time::Duration;

use store_core::{Encoded, Portable, Storable, Timestamp, Usage};
use zeroize::Zeroizing;

/// A session in the encoding of s2n-tls: the ticket and its secret, about 256 bytes beside the ticket.
/// It contains neither certificates nor names.
pub struct Session {
    bytes: Zeroizing<Vec<u8>>,
    /// The time of receipt. `bytes` has it, too, to the nanosecond, and s2n-tls fails a handshake whose
    /// clock is earlier.
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

    /// Bytes of its ticket; 0 if it has a session id instead.
    ///
    /// The encoding begins with the byte 1, the length of the ticket and the ticket
    /// (`s2n_client_serialize_resumption_state` in s2n-tls's `tls/s2n_resume.c`).
    pub(crate) fn ticket_bytes(&self) -> usize {
        match self.bytes.as_slice() {
            [1, high, low, ..] => u16::from_be_bytes([*high, *low]).into(),
            _ => 0,
        }
    }

    /// Whether it was received by `now`, so that s2n-tls can use it.
    pub(crate) fn is_received_by(&self, now: Timestamp) -> bool {
        self.received <= now
    }
}

impl Storable for Session {
    fn duplicate(&self) -> Option<Self> {
        Some(Self::new(self.bytes.clone(), self.received))
    }
}

/// The encoding of s2n-tls is not protected, and does not name the server: the tier seals it. Bytes
/// that s2n-tls cannot decode are a miss when a connection is prepared.
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
    fn a_session_survives_encoding_and_cut_ones_do_not_decode() {
        let received = Timestamp::from_unix(Duration::new(1_000, 7));
        let session = Session::new(Zeroizing::new(b"bytes".to_vec()), received);
        let encoded = session.encode().expect("it encodes");
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
