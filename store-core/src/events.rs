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
        }
    }

    /// Whether servers go by their names from now on.
    pub(crate) fn name_servers(&self, named: bool) {
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

    /// What a server is called: its name and port, or the beginning of a digest of its key, the same
    /// in every process.
    fn server(&self, key: KeyRef<'_>) -> String {
        use crate::HostRef;
        use sha2::{Digest, Sha256};
        use std::fmt::Write;

        let mut called = String::new();
        if !self.named.load(Ordering::Relaxed) {
            for byte in &Sha256::digest(key.encode())[..8] {
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
