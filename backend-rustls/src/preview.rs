//! A preview: the same over the next rustls, whose sessions can be written down.
//!
//! A [`Session`] here is [`Portable`](store_core::Portable), so its store can be shared beyond one
//! process. Its lifetime and its size can be seen, too.
//!
//! # What "preview" means
//! This is rustls 0.24.0-dev.1 ([`RUSTLS_VERSION`]), pinned together with its provider: a release for
//! developers, not for the world. The one after it, 0.24.0-dev.2, took away the decoding of TLS 1.3
//! tickets (`Tls13Session::from_slice`), because their bytes do not say whether they are for TCP
//! or for QUIC, and it builds with neither this provider nor this code; 0.24 itself is not out.
//! Therefore everything in this module may change or go in any release of this crate, and what was
//! written by one release need not be readable to the next: a miss, nothing worse.
//!
//! When 0.24 is out and decodes tickets again, there is this to do: turn `rustls-next` and
//! `rustls-next-aws-lc-rs` in the workspace's `Cargo.toml` into the released versions, correct
//! [`RUSTLS_VERSION`], draw a new [`Portable::FORMAT`](store_core::Portable::FORMAT), and check `written.rs`
//! against the new encoding.
//!
//! # What it is for
//! [`Connection`] is for one connection, as in rustls 0.23. There is no handle to share: rustls 0.23
//! itself refuses a session that another verifier has seen, and this one leaves that to the
//! `config_hash` of its keys, which cannot be trusted with it. The hash takes the type of the
//! verifier's `Arc` for the type of the verifier, so that two verifiers without settings of their
//! own have the same one; and it changes with the compiler, so it could not be shared either.
//! A connection's key has a [`SecurityDomain`](store_core::SecurityDomain) instead, and the
//! `config_hash` counts for nothing: whoever makes the key puts into it all that decides over
//! trust. It is for TLS over TCP: a ticket for QUIC is not stored.
//!
//! A client names the same rustls in its own `Cargo.toml`, by whatever name:
//! `rustls-next = { package = "rustls", version = "=0.24.0-dev.1" }`.
//!
//! This rustls breaks off a connection whose server sends more than 32 tickets without any data in
//! between. What came before stays good.
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
mod session;
mod sessions;
mod written;

use std::sync::Arc;

use rustls_next::crypto::CryptoProvider;

pub use connection::Connection;
pub use session::Session;
pub use sessions::Sessions;

/// The version of rustls that this is about.
pub const RUSTLS_VERSION: &str = "0.24.0-dev.1";

/// The cryptography that sessions are read for: aws-lc-rs.
static PROVIDER: CryptoProvider = rustls_next_aws_lc_rs::DEFAULT_PROVIDER;

/// The cryptography of aws-lc-rs, for `ClientConfig::builder`.
///
/// A session of rustls holds its cipher suite as a provider implements it. The store keeps what is
/// written down, which comes back with those of aws-lc-rs: so the configs need this provider, or
/// one with fewer of its suites and groups. A session with a suite that it has not is not stored.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(PROVIDER.clone())
}

#[cfg(test)]
mod tests {
    /// The domains and formats that name the version follow the dependency.
    #[test]
    fn the_version_is_the_one_that_is_pinned() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        // Not there in the published package.
        if let Ok(manifest) = std::fs::read_to_string(manifest) {
            let pinned = format!(
                "package = \"rustls\", version = \"={}\"",
                super::RUSTLS_VERSION
            );
            assert!(manifest.contains(&pinned), "{pinned}");
        }
    }
}
