//! Servers that misbehave, against the connector on every backend.
//!
//! Whatever a server does: the store stays within its limits, other servers' sessions still resume,
//! no handshake fails more than once because of a stored session, and the counters tell what
//! happened. Nothing here waits or looks at the time: servers run inline, and the connector's clock
//! moves when a test moves it.

mod declined;
mod failures;
mod lifetimes;
mod stage;
mod tickets;

/// Makes a test of each check on each backend, in modules of the backends' names.
macro_rules! on_each {
    ($($check:ident),* $(,)?) => {
        mod on_rustls {
            $(#[test] fn $check() { super::$check::<tls_resume::rustls::Rustls>(); })*
        }
        mod on_openssl {
            $(#[test] fn $check() { super::$check::<tls_resume::openssl::OpenSsl>(); })*
        }
        mod on_rustls_preview {
            $(#[test] fn $check() { super::$check::<tls_resume::rustls_preview::RustlsPreview>(); })*
        }
    };
}
use on_each;

/// The same without rustls 0.23, which shows nobody how long a session lives and what it is.
macro_rules! on_each_that_shows_sessions {
    ($($check:ident),* $(,)?) => {
        mod shown_by_openssl {
            $(#[test] fn $check() { super::$check::<tls_resume::openssl::OpenSsl>(); })*
        }
        mod shown_by_rustls_preview {
            $(#[test] fn $check() { super::$check::<tls_resume::rustls_preview::RustlsPreview>(); })*
        }
    };
}
use on_each_that_shows_sessions;
