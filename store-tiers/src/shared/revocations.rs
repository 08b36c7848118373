//! What was revoked here, so that it does not come back by way of another process.

use std::num::NonZeroUsize;

use lru::LruCache;
use store_core::Timestamp;

use crate::ServerId;

/// Servers that are remembered one by one.
const SERVERS: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// When each server, and when all of them, were revoked last. What descends from a full handshake
/// before that is not used any more, wherever it was meanwhile.
pub(super) struct Revocations {
    servers: LruCache<ServerId, Timestamp>,
    all: Option<Timestamp>,
}

impl Revocations {
    pub(super) fn new() -> Self {
        Self {
            servers: LruCache::new(SERVERS),
            all: None,
        }
    }

    /// A server, or all of them, were revoked no later than `now`.
    pub(super) fn note(&mut self, server: Option<ServerId>, now: Timestamp) {
        let Some(server) = server else {
            self.all = self.all.max(Some(now));
            return self.servers.clear();
        };
        // Of too many, the oldest stands for all: refuse more than needed, never less.
        if let Some((forgotten, when)) = self.servers.push(server, now)
            && forgotten != server
        {
            self.all = self.all.max(Some(when));
        }
    }

    /// Whether a session of this server, from a full handshake then, is revoked.
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
    fn what_was_before_is_covered_and_what_comes_after_is_not() {
        let mut revoked = Revocations::new();
        assert!(!revoked.covers(&server(1), at(0)));
        revoked.note(Some(server(1)), at(10));
        assert!(revoked.covers(&server(1), at(10)));
        assert!(!revoked.covers(&server(1), at(11)));
        assert!(!revoked.covers(&server(2), at(10)));
        revoked.note(None, at(20));
        assert!(revoked.covers(&server(2), at(20)));
        assert!(!revoked.covers(&server(1), at(21)));
    }

    #[test]
    fn none_is_forgotten() {
        let mut revoked = Revocations::new();
        let servers: Vec<ServerId> = (0..SERVERS.get() + 10).map(server).collect();
        for (server, when) in servers.iter().zip(100..) {
            revoked.note(Some(*server), at(when));
        }
        for (server, when) in servers.iter().zip(100..) {
            assert!(revoked.covers(server, at(when)), "{when}");
        }
        assert!(!revoked.covers(&server(99_999), at(200)));
    }
}
