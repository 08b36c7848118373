//! The default cryptography provider.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The compiled-in cryptography provider: aws-lc-rs if its feature is on, else ring, else graviola.
///
/// For [`ClientConfig::builder_with_provider`](rustls::ClientConfig::builder_with_provider).
/// `ClientConfig::builder` panics if two providers are linked and none is installed as default.
/// Needs one of the three features; without them, use a provider of your own.
pub fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    let provider = rustls::crypto::ring::default_provider();
    #[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
    let provider = rustls_graviola::default_provider();
    Arc::new(provider)
}
