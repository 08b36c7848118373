//! The cryptography provider of the rustls preview.

use std::sync::Arc;

use rustls_next::crypto::CryptoProvider;
use rustls_next::crypto::kx::SupportedKxGroup;

/// The provider that sessions are decoded with.
pub(super) static PROVIDER: CryptoProvider = rustls_next_aws_lc_rs::DEFAULT_PROVIDER;

/// The cryptography provider of aws-lc-rs, for `ClientConfig::builder`.
///
/// Decoded sessions refer to the cipher suites of this provider, so a configuration must use it, or
/// a copy with some suites and groups removed. A session with another cipher suite is not stored.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(PROVIDER.clone())
}

/// All key-exchange groups that aws-lc-rs implements: more than [`provider`] offers.
pub fn all_groups() -> &'static [&'static dyn SupportedKxGroup] {
    rustls_next_aws_lc_rs::ALL_KX_GROUPS
}
