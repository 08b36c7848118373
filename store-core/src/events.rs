//! Events for `tracing` with the feature of that name; without it, nothing.
//!
//! They are at DEBUG under the target `tls_resume`, and none is emitted under a lock.

#[cfg(feature = "tracing")]
pub(crate) use self::enabled::Events;

#[cfg(not(feature = "tracing"))]
pub(crate) use self::disabled::Events;

#[cfg(not(feature = "tracing"))]
mod disabled {
    use crate::{KeyRef, Outcome, Usage};

    /// Emits nothing.
    pub(crate) struct Events;

    #[expect(clippy::unused_self, reason = "the signatures of `enabled`")]
    impl Events {
        pub(crate) fn new() -> Self {
            Self
        }

        #[inline]
        pub(crate) fn offered(&self, _: &KeyRef<'_>, _: Usage) {}

        #[inline]
        pub(crate) fn missed(&self, _: &KeyRef<'_>) {}

        #[inline]
        pub(crate) fn avoided(&self, _: &KeyRef<'_>) {}

        #[inline]
        pub(crate) fn retried(&self, _: &KeyRef<'_>) {}

        #[inline]
        pub(crate) fn session_from_future(&self, _: &KeyRef<'_>) {}

        #[inline]
        pub(crate) fn ended(&self, _: &KeyRef<'_>, _: Outcome) {}
    }
}

#[cfg(feature = "tracing")]
mod enabled {
    use std::fmt::Write;
    use std::sync::atomic::{AtomicBool, Ordering};

    use sha2::{Digest, Sha256};

    use crate::{KeyRef, Outcome, Usage};

    /// Emits the events of a store.
    pub(crate) struct Events {
        names: AtomicBool,
        // Key of the digests. Without it, the digest of every likely name could be compared with a
        // log: the other fields of a key are known.
        pub(super) secret: [u8; 32],
    }

    impl Events {
        /// Servers appear as digests under a new secret.
        pub(crate) fn new() -> Self {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret)
                .expect("the system has random numbers, as std's maps need");
            Self {
                names: AtomicBool::new(false),
                secret,
            }
        }

        /// Selects whether servers appear as names.
        pub(crate) fn log_server_names(&self, names: bool) {
            self.names.store(names, Ordering::Relaxed);
        }

        /// A connection gets a session.
        pub(crate) fn offered(&self, key: &KeyRef<'_>, usage: Usage) {
            let usage = match usage {
                Usage::SingleUse => "single-use",
                Usage::Reusable => "reusable",
            };
            self.emit(key, "offered", Some(usage));
        }

        /// A connection finds no session.
        pub(crate) fn missed(&self, key: &KeyRef<'_>) {
            self.emit(key, "missed", None);
        }

        /// A connection offers no session because of earlier handshakes.
        pub(crate) fn avoided(&self, key: &KeyRef<'_>) {
            self.emit(key, "avoided", None);
        }

        /// A handshake is made again without a session.
        pub(crate) fn retried(&self, key: &KeyRef<'_>) {
            self.emit(key, "retried", None);
        }

        /// A tier has a session from the future.
        pub(crate) fn session_from_future(&self, key: &KeyRef<'_>) {
            self.emit(key, "from the future", None);
        }

        /// A handshake in which a session was offered has ended.
        pub(crate) fn ended(&self, key: &KeyRef<'_>, outcome: Outcome) {
            let message = match outcome {
                Outcome::Resumed => "resumed",
                Outcome::Declined => "declined",
                Outcome::Failed | Outcome::Rejected | Outcome::Broken => "failed",
                Outcome::Cancelled | Outcome::Distrusted => "cancelled",
                Outcome::RejectedLate => "rejected",
                Outcome::Full | Outcome::FullFailed | Outcome::Succeeded => return,
            };
            self.emit(key, message, None);
        }

        fn emit(&self, key: &KeyRef<'_>, message: &str, usage: Option<&str>) {
            if tracing::enabled!(target: "tls_resume", tracing::Level::DEBUG) {
                let server = self.server(key);
                tracing::debug!(target: "tls_resume", server, usage, "{message}");
            }
        }

        /// A server's name and port, or the first 8 bytes of a digest of its key under the secret.
        pub(super) fn server(&self, key: &KeyRef<'_>) -> String {
            if self.names.load(Ordering::Relaxed) {
                return key.to_string();
            }
            let digest = Sha256::new().chain_update(self.secret);
            let digest = digest.chain_update(key.encode()).finalize();
            let mut server = String::new();
            for byte in &digest[..8] {
                let _ = write!(server, "{byte:02x}"); // to a string: does not fail
            }
            server
        }
    }
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use super::*;
    use crate::{KeyRef, SecurityDomain};

    #[test]
    fn a_server_appears_as_a_digest_that_nobody_else_can_compute() {
        let domain = SecurityDomain::from([7; 32]);
        let (events, others, named) = (Events::new(), Events::new(), Events::new());
        named.log_server_names(true);
        let key = KeyRef::new(&domain, "a.example").with_port(443);
        let digest = events.server(&key);
        assert_eq!(digest.len(), 16, "{digest}");
        assert_ne!(events.server(&key.with_port(444)), digest);
        assert_ne!(others.server(&key), digest);
        for spelling in ["a.example", "A.Example."] {
            let key = KeyRef::new(&domain, spelling).with_port(443);
            assert_eq!(events.server(&key), digest);
            assert_eq!(named.server(&key), "a.example:443");
        }
        // All of the secret is random.
        let parts: std::collections::HashSet<_> = events.secret.chunks(8).collect();
        assert_eq!(parts.len(), 4);
    }
}
