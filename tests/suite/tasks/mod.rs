//! Connections in tasks of tokio, on every backend.

mod bursts;
mod cancellation;
mod clients;
mod early_data;
mod failures;
mod kin;
mod resumption;
mod rotation;
#[cfg(all(feature = "lmdb", feature = "openssl"))]
mod shared_stores;
mod transports;

on_async_backends! {
    resumption:
        tcp_connections_resume,
        connections_over_the_callers_transport_resume,
        sessions_are_shared_with_the_blocking_connector,
        tasks_use_each_ticket_once,
        the_servers_last_group_is_offered_first,
        never_resume_hosts_neither_store_nor_offer,
        connections_have_their_own_options,
        both_ends_export_the_same_keying_material,
        application_data_comes_back_with_the_session,
        waiting_stores_tickets_and_loses_no_data,
        waiting_ends_at_the_timeout,
        application_data_does_not_count_as_session_size;
    kin:
        kin_resume_their_own_connection;
    rotation:
        a_rotated_credential_resumes_no_old_session;
    cancellation:
        no_session_is_taken_before_tcp_is_connected,
        cancelled_handshakes_leave_the_other_sessions,
        the_connectors_timeout_is_a_failure,
        waiting_for_tickets_can_be_cancelled;
    bursts:
        bursts_with_cancels_to_a_healthy_server_resume;
    failures:
        advice_after_a_close_depends_on_the_server,
        bad_certificates_are_rejected,
        unreachable_servers_are_errors,
        invalid_hosts_are_rejected,
        an_alert_removes_the_resumed_session,
        an_end_without_close_notify_is_unexpected,
        writes_fail_after_shutdown;
    transports:
        connections_resume_over_a_transport_that_is_often_pending,
        other_writes_may_follow_a_cancelled_write,
        shutdown_may_follow_a_cancelled_write,
        shutdown_does_not_wait_for_the_server,
        shutdown_with_unread_tickets_is_no_reset,
        a_busy_thread_costs_no_session,
        connect_stream_until_counts_a_timeout_as_a_failure;
    early_data:
        early_data_arrives_once,
        early_data_is_limited_and_can_be_rejected,
        tickets_carry_early_data_once,
        cancelled_early_data_uses_up_its_ticket_only,
        unanswered_early_data_runs_into_the_timeout,
        early_data_is_not_sent_again;
}

#[cfg(all(feature = "lmdb", feature = "openssl"))]
#[test]
fn sessions_are_fetched_from_a_file_while_tcp_connects() {
    crate::servers::run(shared_stores::sessions_are_fetched_from_a_file_while_tcp_connects());
}

#[cfg(all(feature = "lmdb", feature = "openssl"))]
#[test]
fn sessions_move_while_other_tasks_run() {
    crate::servers::run(shared_stores::sessions_move_while_other_tasks_run());
}
