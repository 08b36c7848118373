//! The session store for a preview of rustls 0.24, whose sessions can be encoded.
//!
//! A [`Session`] of this module is [`Portable`](store_core::Portable), so its store can use a tier.
//! Unlike a session of rustls 0.23, it shows its lifetime and its size.
//!
//! # Stability
//! This is rustls 0.24.0-dev.1 ([`RUSTLS_VERSION`]), a developer release, pinned together with its
//! provider. The next one, 0.24.0-dev.2, removed the decoding of TLS 1.3 tickets
//! (`Tls13Session::from_slice`), because their bytes do not say whether they are for TCP or for
//! QUIC. It builds with neither this provider nor this code, and 0.24 itself is not released. So
//! everything in this module may change or disappear in any release of this crate. If one release
//! cannot decode a session of another, that session is a miss.
//!
//! When 0.24 is released and decodes tickets again: replace `rustls-next` and `rustls-next-aws-lc-rs`
//! in the workspace's `Cargo.toml` by the released versions, correct [`RUSTLS_VERSION`], choose a new
//! [`Portable::FORMAT`](store_core::Portable::FORMAT), and check `encoding.rs` against the new
//! encoding.
//!
//! # Use
//! [`Connection`] is the handle of one connection, as for rustls 0.23. There is no shared handle.
//! rustls 0.23 itself rejects a session of another verifier. This version has a `config_hash` in
//! its session keys (`ClientSessionKey`) instead, which does not suffice: it hashes the type of the
//! verifier's `Arc`, not of the verifier, so all verifiers without settings have the same hash. It
//! also changes with the compiler, so processes cannot share it. This module ignores it: the key of
//! a connection has a [`SecurityDomain`](store_core::SecurityDomain), which must cover every
//! setting that decides over trust.
//!
//! Only TLS over TCP is supported: a ticket for QUIC is not stored.
//!
//! A client needs the same rustls in its own `Cargo.toml`, under any name:
//! `rustls-next = { package = "rustls", version = "=0.24.0-dev.1" }`.
//!
//! This rustls aborts a connection whose server sends more than 32 tickets in a row without data. The
//! tickets received before stay valid.
//!
//! ```
//! use backend_rustls::preview::{Sessions, provider};
//! use rustls_next::{ClientConfig, RootCertStore};
//! use store_core::{KeyRef, Limits, SecurityDomain};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sessions = Sessions::new(Limits::default())?;
//! let config = ClientConfig::builder(provider())
//!     .with_root_certificates(RootCertStore::empty()) // yours here
//!     .with_no_client_auth()?;
//!
//! let domain = SecurityDomain::builder("example").field("roots", b"mine").finish();
//! let key = KeyRef::new(&domain, "www.example.com").with_port(443).to_key();
//! let connection = sessions.connection(key);
//! let mut config = config.clone();
//! config.resumption = connection.resumption();
//! // Connect with `config`, then: connection.settle(kind);
//! # Ok(())
//! # }
//! ```

mod connection;
mod encoding;
mod provider;
mod session;
mod sessions;

pub use connection::Connection;
pub use provider::{all_groups, provider};
pub use session::Session;
pub use sessions::Sessions;

/// The version of rustls that this module supports.
pub const RUSTLS_VERSION: &str = "0.24.0-dev.1";

#[cfg(test)]
mod tests {
    /// Security domains and formats name the version.
    #[test]
    fn the_version_is_that_of_the_dependency() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        // The published package has no workspace manifest.
        if let Ok(manifest) = std::fs::read_to_string(manifest) {
            let pinned = format!(
                "package = \"rustls\", version = \"={}\"",
                super::RUSTLS_VERSION
            );
            assert!(manifest.contains(&pinned), "{pinned}");
        }
    }
}
