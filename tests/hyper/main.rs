//! The connector in hyper's client, over real handshakes: one suite for either backend.
//!
//! Whole programs that speak HTTP to real servers are in the package `examples`.

mod connecting;
mod failures;
mod peer;
mod plain;

/// Mounts tests on a backend.
macro_rules! on {
    ($backend:ty; $($module:ident: $($test:ident),+ $(,)?;)+) => {
        $($(
            #[tokio::test]
            async fn $test() {
                crate::$module::$test::<$backend>().await;
            }
        )+)+
    };
}

/// Mounts every test on each backend there is.
macro_rules! on_backends {
    ($($tests:tt)+) => {
        #[cfg(feature = "rustls")]
        mod rustls {
            on! { tls_resume::rustls::Rustls; $($tests)+ }
        }
        #[cfg(feature = "openssl")]
        mod openssl {
            on! { tls_resume::openssl::OpenSsl; $($tests)+ }
        }
    };
}

on_backends! {
    connecting:
        the_second_connection_resumes,
        the_client_is_told_of_the_connection,
        names_and_addresses_are_what_the_uri_says,
        sessions_are_those_of_the_connector;
    failures:
        a_certificate_that_is_refused_is_among_the_sources,
        a_server_that_says_nothing_is_given_up,
        nobody_listens;
    plain:
        http_is_refused_unless_allowed,
        http_is_spoken_in_plain,
        a_host_without_an_address;
}
