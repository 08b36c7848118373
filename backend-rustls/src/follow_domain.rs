//! The domain of a shared handle whose client certificate rotates.

use std::fmt;
use std::time::Duration;

use store_core::{SecurityDomain, Timestamp};

/// How long after a rotation no session is stored: one that arrives so soon may be of a connection
/// from before. Longer than handshakes take, and than clients wait before they read.
const UNSETTLED: Duration = Duration::from_secs(30);

/// Tells the domain of a `ClientConfig` whose client certificate rotates
/// ([`Sessions::shared_handle_following`](crate::Sessions::shared_handle_following)).
///
/// Called for every look-up and for every session received: it should be cheap. A resolver implements
/// both:
///
/// ```
/// # #[cfg(any(feature = "aws-lc-rs", feature = "ring", feature = "graviola"))] {
/// use std::sync::{Arc, RwLock};
///
/// use backend_rustls::{CurrentDomain, FollowDomain, Sessions};
/// use rustls::client::ResolvesClientCert;
/// use rustls::sign::CertifiedKey;
/// use rustls::{ClientConfig, SignatureScheme};
///
/// /// The certificate, with its domain, which contains a digest of it.
/// #[derive(Debug)]
/// struct Rotating(RwLock<(Arc<CertifiedKey>, CurrentDomain)>);
///
/// impl ResolvesClientCert for Rotating {
///     fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
///         Some(Arc::clone(&self.0.read().unwrap().0))
///     }
///
///     fn has_certs(&self) -> bool {
///         true
///     }
/// }
///
/// impl FollowDomain for Rotating {
///     fn current(&self) -> CurrentDomain {
///         self.0.read().unwrap().1
///     }
/// }
///
/// fn follow(config: &mut ClientConfig, sessions: &Sessions, rotating: Arc<Rotating>) {
///     let shared = sessions.shared_handle_following(Arc::<Rotating>::clone(&rotating));
///     config.resumption = shared.resumption();
///     config.client_auth_cert_resolver = rotating;
/// }
/// # }
/// ```
pub trait FollowDomain: fmt::Debug + Send + Sync {
    /// The domain of connections that begin now.
    fn current(&self) -> CurrentDomain;
}

/// The domain of the current client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentDomain {
    /// One of its own for each certificate.
    pub domain: SecurityDomain,
    /// When the certificate replaced another one, by the clock of the store; `None` if it is the
    /// first.
    pub since: Option<Timestamp>,
    /// When the certificate expires.
    pub certificate_expires: Timestamp,
}

impl CurrentDomain {
    /// Whether a session received at `now` may be of a connection with the certificate before.
    pub(crate) fn is_unsettled(&self, now: Timestamp) -> bool {
        let Some(since) = self.since else {
            return false;
        };
        // A clock that was set back says nothing.
        now.since(since).is_none_or(|passed| passed < UNSETTLED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_settles_after_its_time() {
        let at = |seconds| Timestamp::from_unix(Duration::from_secs(seconds));
        let domain = |since| CurrentDomain {
            domain: SecurityDomain::from([0; 32]),
            since,
            certificate_expires: Timestamp::NEVER,
        };
        assert!(!domain(None).is_unsettled(at(1_000)));
        let rotated = domain(Some(at(1_000)));
        for (now, unsettled) in [(999, true), (1_000, true), (1_029, true), (1_030, false)] {
            assert_eq!(rotated.is_unsettled(at(now)), unsettled, "{now}");
        }
    }
}
