//! The connector's behaviour over real handshakes: one suite, unchanged for every backend.
//!
//! Each test is generic over the backend and runs as `rustls::NAME`, `openssl::NAME` and
//! `rustls_preview::NAME`, as far as their features are on. Servers on both libraries have the last
//! word on what was resumed.

mod early_data;
mod failures;
mod lab_client;
mod limits_and_names;
mod resumption;
mod settings;
#[cfg(all(feature = "lmdb", feature = "redis"))]
mod sharing;
#[cfg(feature = "openssl")]
mod stripped;
mod tickets;
mod transports;

/// Mounts tests on a backend.
macro_rules! on {
    ($backend:ty; $($module:ident: $($test:ident),+ $(,)?;)+) => {
        $($(
            #[test]
            fn $test() {
                crate::$module::$test::<$backend>();
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
        #[cfg(feature = "rustls-preview")]
        mod rustls_preview {
            on! { tls_resume::rustls_preview::RustlsPreview; $($tests)+ }
        }
    };
}

/// Mounts every test on each backend whose sessions can be shared.
#[cfg(all(feature = "lmdb", feature = "redis"))]
macro_rules! on_shareable_backends {
    ($($tests:tt)+) => {
        #[cfg(feature = "openssl")]
        mod openssl_shared {
            on! { tls_resume::openssl::OpenSsl; $($tests)+ }
        }
        #[cfg(feature = "rustls-preview")]
        mod rustls_preview_shared {
            on! { tls_resume::rustls_preview::RustlsPreview; $($tests)+ }
        }
    };
}

on_backends! {
    resumption:
        resumes_over_tcp,
        resumes_over_a_stream_of_ones_own,
        the_whole_chain_is_known_after_a_resumption,
        a_connection_says_what_it_is,
        declined_after_the_servers_keys_rotate,
        every_ticket_is_used_once_by_many_threads,
        stats_add_up;
    tickets:
        waiting_with_tls12_is_over_at_once,
        waiting_ends_at_the_deadline,
        waiting_ends_soon_after_the_tickets,
        waiting_loses_no_data,
        waiting_restores_the_timeout,
        waiting_on_a_closed_connection_ends,
        forgotten_sessions_are_gone,
        late_tickets_are_not_stored_after_forget,
        clear_and_clear_server,
        late_tickets_are_not_stored_after_clear;
    limits_and_names:
        hosts_that_never_resume,
        one_server_has_many_spellings,
        an_address_is_a_host,
        another_server_or_connector_does_not_resume,
        limits_off_is_no_error,
        bad_limits_are_refused;
    settings:
        client_certificate_is_presented_and_resumed,
        client_key_must_fit,
        alpn_is_negotiated,
        protocols_are_kept_to,
        no_protocol_is_refused,
        bad_alpn_names_are_refused,
        bad_ca_files_are_refused,
        an_empty_list_of_roots_is_refused,
        never_resume_takes_hosts_only,
        debug_shows_no_secret;
    failures:
        hosts_that_are_none,
        servers_that_are_not_there,
        certificates_that_are_refused,
        servers_that_misbehave,
        a_server_that_drips_is_timed_out,
        a_handshake_that_is_cut_off,
        a_transport_that_takes_nothing;
    transports:
        closing_tells_the_server_once,
        closing_a_broken_connection_is_an_error,
        closing_over_a_transport_that_takes_nothing_ends,
        the_end_without_a_word_is_unexpected,
        timeouts_are_lifted_after_the_handshake,
        timeouts_may_be_endless;
    early_data:
        it_arrives_once_before_the_handshake_is_done,
        it_is_announced_only_where_it_is_asked_for,
        no_more_is_sent_than_the_session_allows,
        what_is_rejected_is_left_to_the_caller,
        a_hello_that_is_asked_for_again_carries_none,
        a_server_takes_a_copy_once,
        many_threads_use_a_ticket_each,
        a_handshake_that_fails_uses_the_ticket_up,
        it_goes_to_no_other_server,
        several_protocols_are_refused,
        hosts_that_never_resume_are_sent_none,
        packed_sessions_allow_it_too,
        older_versions_have_none,
        none_is_sent_without_its_ticket,
        it_is_sent_over_tcp_and_timeouts_are_lifted,
        a_server_that_does_not_answer_it_is_timed_out;
}

#[cfg(all(feature = "lmdb", feature = "redis"))]
on_shareable_backends! {
    sharing:
        sessions_outlive_their_connector,
        a_session_comes_before_a_stream_of_ones_own,
        others_share_nothing,
        hosts_that_never_resume_leave_nothing_behind,
        what_is_revoked_is_gone_for_others,
        a_process_that_starts_loads_what_is_there,
        a_place_that_is_down_is_no_error,
        stores_in_memory_are_as_if_nothing_were_said,
        stores_that_are_none_are_refused;
}
