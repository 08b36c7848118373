//! Why a connection could not be made.

use thiserror::Error;

/// Why a connection could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The host is an IP address. s2n-tls would send it as a server name (RFC 6066, section 3,
    /// forbids that) and cannot verify one otherwise.
    #[error("s2n-tls connects to hosts by name only")]
    Address,
    /// s2n-tls's own word.
    #[error(transparent)]
    Tls(#[from] s2n_tls::error::Error),
}
