//! Servers that misbehave, with the connectors of all backends.
//!
//! Whatever a server does, the store stays within its limits, other servers' sessions are resumed,
//! a stored session makes one handshake fail at most, and the counters match. No test waits:
//! servers run on the test's thread, and clocks are manual.

mod declined;
mod failures;
mod fixture;
mod lifetimes;
mod tickets;

/// Makes a test of each function on each backend, in a module for each backend.
macro_rules! on_each_backend {
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
use on_each_backend;

/// As [`on_each_backend`], without rustls 0.23, which does not show a session's lifetime.
macro_rules! on_each_backend_with_lifetimes {
    ($($check:ident),* $(,)?) => {
        mod lifetimes_on_openssl {
            $(#[test] fn $check() { super::$check::<tls_resume::openssl::OpenSsl>(); })*
        }
        mod lifetimes_on_rustls_preview {
            $(#[test] fn $check() { super::$check::<tls_resume::rustls_preview::RustlsPreview>(); })*
        }
    };
}
use on_each_backend_with_lifetimes;
