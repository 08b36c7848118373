//! What is revoked; and when servers were, so that another process cannot bring a revoked session
//! back.

use std::num::NonZeroUsize;

use lru::LruCache;
use store_core::{SecurityDomain, SessionKey, Timestamp};

use crate::ServerId;

/// Servers with a revocation time of their own.
const SERVERS: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// The sessions that a revocation is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Revoked {
    All,
    Domain(SecurityDomain),
    Server(SessionKey),
}

/// When each server, and when all servers, were last revoked. A session whose full handshake was
/// earlier is rejected, wherever it was stored meanwhile.
pub(super) struct Revocations {
    servers: LruCache<ServerId, Timestamp>,
    all: Option<Timestamp>,
}

impl Revocations {
    pub(super) fn new() -> Self {
        Self {
            servers: LruCache::sparse(SERVERS),
            all: None,
        }
    }

    /// Records that a server, or all servers (`None`), were revoked no later than `now`.
    pub(super) fn insert(&mut self, server: Option<ServerId>, now: Timestamp) {
        let Some(server) = server else {
            self.all = self.all.max(Some(now));
            return self.servers.clear();
        };
        // The time of an evicted server becomes that of all servers: this rejects more sessions
        // than needed, never fewer.
        if let Some((evicted, when)) = self.servers.push(server, now)
            && evicted != server
        {
            self.all = self.all.max(Some(when));
        }
    }

    /// Whether a session of this server, from a full handshake at `established`, is revoked.
    pub(super) fn covers(&self, server: &ServerId, established: Timestamp) -> bool {
        let last = self.servers.peek(server).copied().max(self.all);
        last.is_some_and(|revoked| established <= revoked)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use store_core::{KeyRef, SecurityDomain};

    use super::*;
    use crate::KeyRing;

    fn server(n: usize) -> ServerId {
        let ring = KeyRing::new([1; 32], [(1, [2; 32])]).unwrap();
        let domain = SecurityDomain::from([9; 32]);
        ring.server_id(KeyRef::new(&domain, &format!("host-{n}")))
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(Duration::from_secs(seconds))
    }

    #[test]
    fn covers_earlier_handshakes_and_no_later_ones() {
        let mut revoked = Revocations::new();
        assert!(!revoked.covers(&server(1), at(0)));
        revoked.insert(Some(server(1)), at(10));
        assert!(revoked.covers(&server(1), at(10)));
        assert!(!revoked.covers(&server(1), at(11)));
        assert!(!revoked.covers(&server(2), at(10)));
        revoked.insert(None, at(20));
        assert!(revoked.covers(&server(2), at(20)));
        assert!(!revoked.covers(&server(1), at(21)));
    }

    #[test]
    fn no_revocation_is_forgotten() {
        let mut revoked = Revocations::new();
        let servers: Vec<ServerId> = (0..SERVERS.get() + 10).map(server).collect();
        for (server, when) in servers.iter().zip(100..) {
            revoked.insert(Some(*server), at(when));
        }
        for (server, when) in servers.iter().zip(100..) {
            assert!(revoked.covers(server, at(when)), "{when}");
        }
        assert!(!revoked.covers(&server(99_999), at(200)));
    }
}
