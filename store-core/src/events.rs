//! What the store says to `tracing`, with the feature of that name; without it, nothing.
//!
//! Events at DEBUG under the target `tls_resume`, none of them under a lock.

use crate::{KeyRef, Outcome, Usage};

#[cfg(feature = "tracing")]
use std::sync::atomic::{AtomicBool, Ordering};

/// As many characters of a name are shown as one in DNS can have.
#[cfg(feature = "tracing")]
const LONGEST_NAME: usize = 253;

/// An event about the server `$key`, which is named only if somebody listens.
#[cfg(feature = "tracing")]
macro_rules! event {
    ($events:expr, $key:expr, $message:literal $(, $field:ident)?) => {
        if tracing::enabled!(target: "tls_resume", tracing::Level::DEBUG) {
            let server = $events.server($key);
            tracing::debug!(target: "tls_resume", server, $($field,)? $message);
        }
    };
}

/// How a store speaks of its servers.
pub(crate) struct Events {
    #[cfg(feature = "tracing")]
    named: AtomicBool,
    // Names are few enough to be tried one by one, and much of a key is public: without this, a log
    // would tell them all.
    #[cfg(feature = "tracing")]
    secret: [u8; 32],
}

#[cfg(not(feature = "tracing"))]
#[expect(clippy::unused_self, reason = "as with the feature")]
impl Events {
    pub(crate) fn new() -> Self {
        Self {}
    }

    #[inline]
    pub(crate) fn offered(&self, _: KeyRef<'_>, _: Usage) {}

    #[inline]
    pub(crate) fn missed(&self, _: KeyRef<'_>) {}

    #[inline]
    pub(crate) fn ended(&self, _: KeyRef<'_>, _: Outcome) {}
}

#[cfg(feature = "tracing")]
impl Events {
    pub(crate) fn new() -> Self {
        Self {
            named: AtomicBool::new(false),
            secret: secret(),
        }
    }

    /// Whether servers go by their names from now on.
    pub(crate) fn log_server_names(&self, named: bool) {
        self.named.store(named, Ordering::Relaxed);
    }

    /// A session goes to a connection.
    pub(crate) fn offered(&self, key: KeyRef<'_>, usage: Usage) {
        let usage = match usage {
            Usage::SingleUse => "single-use",
            Usage::Reusable => "reusable",
        };
        event!(self, key, "offered", usage);
    }

    /// There is no session for a connection.
    pub(crate) fn missed(&self, key: KeyRef<'_>) {
        event!(self, key, "missed");
    }

    /// What became of the session that a connection was offered.
    pub(crate) fn ended(&self, key: KeyRef<'_>, outcome: Outcome) {
        match outcome {
            Outcome::Resumed => event!(self, key, "resumed"),
            Outcome::Declined => event!(self, key, "declined"),
            Outcome::Failed => event!(self, key, "failed"),
            Outcome::Cancelled => event!(self, key, "cancelled"),
        }
    }

    /// What a server is called: its name and port, or the beginning of a digest of its key under this
    /// store's secret.
    fn server(&self, key: KeyRef<'_>) -> String {
        use crate::HostRef;
        use sha2::{Digest, Sha256};
        use std::fmt::Write;

        let mut called = String::new();
        if !self.named.load(Ordering::Relaxed) {
            let digest = Sha256::new().chain_update(self.secret);
            for byte in &digest.chain_update(key.encode()).finalize()[..8] {
                // Writing to a string does not fail.
                let _ = write!(called, "{byte:02x}");
            }
            return called;
        }
        let _ = match key.host() {
            // One line of one spelling, whatever a caller took for a name.
            HostRef::Name(name) => {
                let lower = name.chars().map(|char| char.to_ascii_lowercase());
                called.extend(lower.take(LONGEST_NAME).flat_map(char::escape_debug));
                Ok(())
            }
            HostRef::Address(address) => write!(called, "{address}"),
        };
        if let Some(port) = key.port() {
            let _ = write!(called, " {port}");
        }
        called
    }
}

/// Drawn as the seeds of `std`'s maps are, and spread over more bytes by their keyed hash.
#[cfg(feature = "tracing")]
fn secret() -> [u8; 32] {
    use std::hash::{BuildHasher, RandomState};

    let drawn = RandomState::new();
    let mut secret = [0; 32];
    for (number, bytes) in secret.chunks_exact_mut(8).enumerate() {
        bytes.copy_from_slice(&drawn.hash_one(number).to_be_bytes());
    }
    secret
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use super::*;
    use crate::{HostRef, SecurityDomain};

    fn called(key: KeyRef<'_>) -> String {
        let events = Events::new();
        events.log_server_names(true);
        events.server(key)
    }

    #[test]
    fn a_server_goes_by_a_digest_that_nobody_else_can_make() {
        let domain = SecurityDomain::from([7; 32]);
        let (events, others) = (Events::new(), Events::new());
        let key = KeyRef::new(&domain, "a.example").with_port(443);
        let digest = events.server(key);
        assert_eq!(digest.len(), 16, "{digest}");
        assert_ne!(events.server(key.with_port(444)), digest);
        assert_ne!(others.server(key), digest);
        for spelling in ["a.example", "A.Example."] {
            let key = KeyRef::new(&domain, spelling).with_port(443);
            assert_eq!(events.server(key), digest);
            assert_eq!(called(key), "a.example 443");
        }
        // Four numbers, not one that is repeated.
        let numbers: std::collections::HashSet<_> = events.secret.chunks(8).collect();
        assert_eq!(numbers.len(), 4);
        let address = KeyRef::new(&domain, "[::1]");
        assert_eq!(called(address), "::1");
        assert_eq!(called(address.with_port(443)), "::1 443");
    }

    /// A name can come from anywhere: a redirection, a mail's address.
    #[test]
    fn a_hostile_name_is_one_printable_line_with_an_end() {
        let domain = SecurityDomain::from([7; 32]);
        let name = format!(
            "a\nERROR forged\r\u{1b}[2J\u{202e}\0{}",
            "x".repeat(100_000)
        );
        let key = KeyRef::from_host(&domain, HostRef::Name(&name));
        let called = called(key);
        assert!(called.starts_with(r"a\nerror forged\r\u{1b}[2j\u{202e}\0xx"));
        assert!(called.chars().all(|char| (' '..='~').contains(&char)));
        assert!(called.len() < 300, "{}", called.len());
    }
}
