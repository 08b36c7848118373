//! The connector in tasks of tokio, over real handshakes: one suite for either backend.

mod cancelling;
mod early_data;
mod failures;
mod peer;
mod resumption;
#[cfg(feature = "lmdb")]
mod sharing;
mod transports;

/// Mounts tests on a backend.
macro_rules! on {
    ($backend:ty; $($module:ident: $($test:ident),+ $(,)?;)+) => {
        $($(
            #[test]
            fn $test() {
                crate::peer::run(crate::$module::$test::<$backend>());
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
    resumption:
        resumes_over_tcp,
        resumes_over_a_stream_of_ones_own,
        sessions_are_shared_with_the_blocking_connector,
        every_ticket_is_used_once_by_many_tasks,
        hosts_that_never_resume,
        waiting_brings_the_tickets_and_loses_no_data,
        waiting_in_vain_ends_at_the_deadline,
        large_answers_do_not_weigh_on_tickets;
    cancelling:
        before_tcp_is_connected_no_session_is_taken,
        in_the_midst_of_a_handshake_the_other_sessions_stay,
        a_timeout_of_the_connectors_own_is_a_failure,
        waiting_for_tickets_can_be_given_up;
    failures:
        certificates_that_are_refused,
        servers_that_are_not_there,
        hosts_that_are_none,
        the_end_without_a_word_is_unexpected,
        nothing_is_written_after_the_farewell;
    transports:
        one_that_takes_its_time_is_resumed_over,
        a_write_that_is_given_up_spoils_nothing,
        a_farewell_after_a_write_that_is_given_up,
        a_farewell_needs_no_answer,
        a_task_that_was_kept_busy_costs_no_session,
        a_time_of_ones_own_can_count_as_a_failure;
    early_data:
        early_data_arrives_once,
        no_more_early_data_than_allowed_and_all_of_it_rejected,
        every_ticket_carries_early_data_once,
        early_data_that_is_given_up_uses_its_ticket_only,
        early_data_that_is_not_answered_in_time_has_failed;
}

#[cfg(all(feature = "lmdb", feature = "openssl"))]
#[test]
fn a_session_comes_from_a_file_while_tcp_connects() {
    peer::run(sharing::a_session_comes_from_a_file_while_tcp_connects());
}
