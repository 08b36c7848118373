//! Errors of [`Connector`](crate::Connector).

use thiserror::Error;

/// Why a connection could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The host is an IP address. s2n-tls verifies the name that it sends as SNI, and RFC 6066,
    /// section 3, forbids addresses there.
    #[error("s2n-tls cannot verify an IP address: connect to the host by its name")]
    Address,
    /// An error of s2n-tls.
    #[error(transparent)]
    Tls(#[from] s2n_tls::error::Error),
}
