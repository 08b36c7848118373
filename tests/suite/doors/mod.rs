//! R28 to R31, and R40, at each door of a connector: its blocking connections, those in tasks, and those of
//! hyper's client, also over another connector. The clients of other crates are tested in the package `examples`.

mod addresses;
mod adverse;
mod avoiding;
mod breaking;
mod client;
mod outages;

/// Tests of a door: a type that implements `Door`.
macro_rules! on_door {
    ($name:ident: $door:ty; $($module:ident: $($test:ident),+ $(,)?;)+) => {
        mod $name {
            $($(
                #[test]
                fn $test() {
                    crate::doors::$module::$test::<$door>();
                }
            )+)+
        }
    };
}

/// Tests at every door of every backend.
macro_rules! at_doors {
    ($($tests:tt)+) => {
        #[cfg(feature = "rustls")]
        mod rustls {
            use tls_resume::rustls::Rustls;
            on_door! { blocking: crate::doors::client::Blocking<super::Rustls>; $($tests)+ }
            #[cfg(feature = "tokio")]
            #[test]
            fn cancelled_connections() {
                crate::doors::adverse::cancelled_connections::<Rustls>();
            }
            #[cfg(feature = "tokio")]
            on_door! { tasks: crate::doors::client::Tasks<super::Rustls>; $($tests)+ }
            #[cfg(feature = "hyper")]
            on_door! { hyper: crate::doors::client::Hyper<super::Rustls>; $($tests)+ }
            #[cfg(feature = "hyper")]
            on_door! { over: crate::doors::client::Over<super::Rustls>; $($tests)+ }
        }
        #[cfg(feature = "openssl")]
        mod openssl {
            use tls_resume::openssl::OpenSsl;
            on_door! { blocking: crate::doors::client::Blocking<super::OpenSsl>; $($tests)+ }
            #[cfg(feature = "lmdb")]
            #[test]
            fn short_processes_with_a_tier() {
                crate::doors::adverse::short_processes_fail_never_twice_in_a_row::<OpenSsl>();
            }
            #[cfg(feature = "tokio")]
            #[test]
            fn cancelled_connections() {
                crate::doors::adverse::cancelled_connections::<OpenSsl>();
            }
            #[cfg(feature = "tokio")]
            on_door! { tasks: crate::doors::client::Tasks<super::OpenSsl>; $($tests)+ }
            #[cfg(feature = "hyper")]
            on_door! { hyper: crate::doors::client::Hyper<super::OpenSsl>; $($tests)+ }
            #[cfg(feature = "hyper")]
            on_door! { over: crate::doors::client::Over<super::OpenSsl>; $($tests)+ }
        }
        #[cfg(feature = "rustls-preview")]
        mod rustls_preview {
            use tls_resume::rustls_preview::RustlsPreview;
            on_door! { blocking: crate::doors::client::Blocking<super::RustlsPreview>; $($tests)+ }
            #[cfg(feature = "lmdb")]
            #[test]
            fn short_processes_with_a_tier() {
                crate::doors::adverse::short_processes_fail_never_twice_in_a_row::<RustlsPreview>();
            }
            #[cfg(feature = "tokio")]
            #[test]
            fn cancelled_connections() {
                crate::doors::adverse::cancelled_connections::<RustlsPreview>();
            }
            #[cfg(feature = "tokio")]
            on_door! { tasks: crate::doors::client::Tasks<super::RustlsPreview>; $($tests)+ }
            #[cfg(feature = "hyper")]
            on_door! { hyper: crate::doors::client::Hyper<super::RustlsPreview>; $($tests)+ }
            #[cfg(feature = "hyper")]
            on_door! { over: crate::doors::client::Over<super::RustlsPreview>; $($tests)+ }
        }
    };
}

at_doors! {
    addresses:
        doors_know_the_address;
    avoiding:
        a_server_without_session_id_context_causes_no_error,
        a_server_without_session_id_context_causes_one_error_without_the_retry,
        a_fatal_alert_takes_the_older_sessions,
        a_server_is_avoided_twice_as_long_each_time;
    adverse:
        a_resumption_that_is_closed_late_fails_never_twice_in_a_row,
        a_wrong_certificate_on_resumption_fails_never_twice_in_a_row;
    breaking:
        a_resumption_that_breaks_causes_no_error,
        a_resumption_that_breaks_fails_never_twice_in_a_row_without_the_retry,
        a_resumption_that_is_rejected_late_fails_never_twice_in_a_row,
        a_server_that_always_fails_is_an_error_after_the_retry,
        a_certificate_error_is_not_retried,
        silence_costs_two_deadlines_at_most,
        a_middlebox_that_reads_2048_bytes_causes_no_error;
    outages:
        a_server_that_was_down_is_resumed_afterwards,
        a_server_that_was_silent_is_resumed_afterwards,
        a_burst_after_one_closed_handshake_is_resumed;
}
