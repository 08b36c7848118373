//! Servers that misbehave, against the connector on both backends.
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
macro_rules! on_both {
    ($($check:ident),* $(,)?) => {
        mod on_rustls {
            $(#[test] fn $check() { super::$check::<tls_resume::rustls::Rustls>(); })*
        }
        mod on_openssl {
            $(#[test] fn $check() { super::$check::<tls_resume::openssl::OpenSsl>(); })*
        }
    };
}
use on_both;
