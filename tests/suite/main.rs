//! Tests of the connectors over real handshakes. Servers on both TLS libraries report what was resumed.
//!
//! Most tests are generic over the backend, and run as `TOPIC::rustls::NAME`,
//! `TOPIC::openssl::NAME` and `TOPIC::rustls_preview::NAME`, as far as their features are on.
//!
//! One binary, since linking two TLS libraries takes longer than running most tests.

/// Tests of a module's submodules on one backend. `$run` runs what a test returns: nothing, or a
/// future.
macro_rules! on_backend {
    ($name:ident: $backend:ty, $run:path; $($module:ident: $($test:ident),+ $(,)?;)+) => {
        mod $name {
            $($(
                #[test]
                fn $test() {
                    $run(super::$module::$test::<$backend>());
                }
            )+)+
        }
    };
}

/// Tests on every backend.
macro_rules! on_backends {
    ($($tests:tt)+) => {
        #[cfg(feature = "rustls")]
        on_backend! { rustls: tls_resume::rustls::Rustls, ::std::convert::identity; $($tests)+ }
        #[cfg(feature = "openssl")]
        on_backend! { openssl: tls_resume::openssl::OpenSsl, ::std::convert::identity; $($tests)+ }
        #[cfg(feature = "rustls-preview")]
        on_backend! {
            rustls_preview: tls_resume::rustls_preview::RustlsPreview, ::std::convert::identity;
            $($tests)+
        }
    };
}

/// Tests on each backend whose sessions can be shared.
#[cfg(all(feature = "lmdb", feature = "redis"))]
macro_rules! on_shareable_backends {
    ($($tests:tt)+) => {
        #[cfg(feature = "openssl")]
        on_backend! {
            openssl_shared: tls_resume::openssl::OpenSsl, ::std::convert::identity; $($tests)+
        }
        #[cfg(feature = "rustls-preview")]
        on_backend! {
            rustls_preview_shared: tls_resume::rustls_preview::RustlsPreview,
            ::std::convert::identity;
            $($tests)+
        }
    };
}

/// Asynchronous tests on every backend.
#[cfg(feature = "tokio")]
macro_rules! on_async_backends {
    ($($tests:tt)+) => {
        #[cfg(feature = "rustls")]
        on_backend! { rustls: tls_resume::rustls::Rustls, crate::servers::run; $($tests)+ }
        #[cfg(feature = "openssl")]
        on_backend! { openssl: tls_resume::openssl::OpenSsl, crate::servers::run; $($tests)+ }
        #[cfg(feature = "rustls-preview")]
        on_backend! {
            rustls_preview: tls_resume::rustls_preview::RustlsPreview, crate::servers::run; $($tests)+
        }
    };
}

mod blocking;
mod client_versions;
mod config_file;
mod doors;
#[cfg(feature = "tracing")]
mod events;
#[cfg(feature = "futures")]
mod futures;
#[cfg(feature = "hyper")]
mod http;
mod reading_to_the_end;
#[cfg(feature = "metrics")]
mod recorded_metrics;
mod servers;
#[cfg(feature = "tokio")]
mod tasks;
