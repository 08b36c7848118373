//! Blocking connections, on every backend.

mod application_data;
mod certificate_expiry;
#[cfg(feature = "rustls")]
mod client_config;
pub(crate) mod clients;
mod connect_options;
mod early_data;
mod error_texts;
mod exporter;
mod failed_resumption;
mod failures;
mod groups;
mod kin;
mod kin_settings;
mod limits_and_hosts;
mod outlook;
mod partitions;
#[cfg(feature = "openssl")]
mod peer_certificates;
mod resumption;
#[cfg(all(feature = "lmdb", feature = "redis"))]
mod reused_tickets;
#[cfg(feature = "rustls")]
mod rotating_config;
pub(crate) mod rotation;
mod settings;
#[cfg(all(feature = "lmdb", feature = "redis"))]
mod shared_stores;
mod tickets;
mod transports;

on_backends! {
    resumption:
        tcp_connections_resume,
        connections_over_the_callers_transport_resume,
        resumed_connections_know_the_whole_chain,
        a_connection_reports_what_was_negotiated,
        sessions_are_declined_after_the_servers_keys_rotate,
        threads_use_each_ticket_once,
        the_servers_last_group_is_offered_first,
        stats_add_up;
    tickets:
        tls12_has_no_tickets_to_wait_for,
        waiting_ends_at_the_timeout,
        waiting_ends_soon_after_the_tickets,
        waiting_loses_no_data,
        waiting_restores_the_read_timeout,
        waiting_on_a_closed_connection_ends,
        forget_removes_the_connections_sessions,
        late_tickets_are_not_stored_after_forget,
        clear_removes_all_and_clear_server_one,
        late_tickets_are_not_stored_after_clear;
    limits_and_hosts:
        never_resume_hosts_neither_store_nor_offer,
        spellings_of_a_host_share_sessions,
        addresses_are_hosts,
        other_servers_and_connectors_do_not_resume,
        limits_off_turns_resumption_off,
        invalid_limits_are_rejected;
    certificate_expiry:
        no_session_outlives_the_servers_certificate,
        no_session_outlives_the_clients_certificate,
        an_expired_certificate_beside_the_chain_changes_nothing;
    rotation:
        a_rotated_credential_resumes_no_old_session,
        a_connector_with_another_certificate_shares_the_store,
        a_connector_with_other_roots_shares_the_store,
        files_that_are_half_replaced_are_not_used,
        threads_never_use_an_older_credential,
        a_first_credential_that_does_not_match_is_rejected;
    partitions:
        partitions_do_not_resume_each_others_sessions,
        clear_partition_empties_one,
        methods_about_a_server_are_about_the_partition,
        empty_partitions_cost_nothing,
        a_partition_does_not_push_out_the_others;
    connect_options:
        a_connection_without_resumption_neither_stores_nor_offers,
        endpoints_are_servers_of_their_own,
        never_resume_takes_a_port,
        never_resume_changes_at_run_time,
        sessions_with_a_client_certificate_can_be_turned_off;
    kin:
        kin_resume_as_often_as_asked,
        kin_of_different_connections_are_kept_apart,
        the_newest_ticket_is_offered,
        without_a_session_kin_make_full_handshakes,
        a_declined_session_is_not_replaced,
        a_kept_session_expires,
        a_failed_handshake_takes_its_session,
        an_end_without_close_notify_costs_no_session,
        an_end_after_a_close_says_nothing_of_the_session,
        a_failed_kin_is_made_again,
        a_kept_session_goes_to_its_server_only,
        only_a_connection_that_keeps_its_session_has_kin;
    kin_settings:
        kin_follow_never_resume_of_both_ports,
        the_outlook_of_kin_is_what_happens_next,
        options_keep_the_kin,
        a_clear_after_a_rotation_revokes_kin;
    groups:
        the_groups_that_are_set_are_offered_in_their_order,
        a_known_group_comes_first_and_adds_none,
        other_groups_are_another_domain,
        both_versions_resume_with_groups,
        groups_that_are_not_supported_are_rejected;
    application_data:
        application_data_comes_back_with_the_session,
        late_tickets_have_the_application_data,
        a_declined_session_gives_no_application_data,
        servers_and_partitions_have_their_own_application_data,
        application_data_is_bounded_and_counted,
        revoked_sessions_keep_no_application_data;
    exporter:
        both_ends_export_the_same_keying_material,
        the_channel_binding_is_the_servers;
    outlook:
        a_connector_knows_its_backend,
        the_outlook_is_what_happens_next,
        the_outlook_follows_options_and_settings,
        the_outlook_knows_what_has_expired,
        the_outlook_knows_what_is_avoided;
    settings:
        client_certificates_are_sent_and_sessions_resumed,
        client_keys_must_match,
        alpn_is_negotiated,
        only_allowed_versions_are_negotiated,
        an_empty_list_of_versions_is_rejected,
        invalid_alpn_names_are_rejected,
        invalid_root_files_are_rejected,
        an_empty_list_of_roots_is_rejected,
        never_resume_takes_servers_only,
        debug_shows_no_secret;
    failures:
        invalid_hosts_are_rejected,
        unreachable_servers_are_errors,
        bad_certificates_are_rejected,
        misbehaving_servers_are_errors,
        slow_servers_run_into_the_timeout,
        truncated_handshakes_are_errors,
        transports_that_accept_nothing_are_errors,
        advice_after_a_close_depends_on_the_server,
        an_unreadable_message_after_tls_records_is_no_wrong_port;
    error_texts:
        a_rejected_certificate_has_one_text,
        an_alert_has_one_text,
        an_answer_that_is_not_tls_has_one_text,
        a_closed_handshake_has_one_text;
    failed_resumption:
        a_resumption_that_breaks_fails_never_twice_in_a_row,
        a_resumption_that_is_rejected_late_fails_never_twice_in_a_row,
        a_failed_transport_spares_the_other_sessions,
        a_bad_certificate_blames_no_session,
        early_data_is_not_sent_again;
    transports:
        close_sends_close_notify_once,
        close_with_unread_tickets_is_no_reset,
        close_keeps_the_timeout_and_the_data,
        close_fails_on_a_broken_connection,
        close_ends_over_a_transport_that_accepts_nothing,
        an_end_without_close_notify_is_unexpected,
        timeouts_are_lifted_after_the_handshake,
        the_longest_timeout_is_valid;
    early_data:
        early_data_arrives_before_the_handshake_is_done,
        early_data_is_announced_only_where_asked_for,
        no_more_early_data_is_sent_than_the_session_allows,
        rejected_early_data_is_left_to_the_caller,
        no_early_data_after_a_hello_retry_request,
        servers_with_anti_replay_accept_early_data_once,
        threads_use_a_ticket_each,
        failed_handshakes_use_the_ticket_up,
        early_data_goes_to_its_own_server_only,
        early_data_with_several_protocols_is_rejected,
        never_resume_hosts_get_no_early_data,
        packed_sessions_allow_early_data,
        tls12_has_no_early_data,
        no_early_data_without_its_ticket,
        early_data_is_sent_over_tcp_and_timeouts_are_lifted,
        unanswered_early_data_runs_into_the_timeout;
}

#[cfg(all(feature = "lmdb", feature = "redis"))]
on_shareable_backends! {
    certificate_expiry:
        sessions_from_a_tier_expire_with_the_certificate;
    shared_stores:
        sessions_outlive_their_connector,
        connections_over_the_callers_transport_wait_for_the_tier,
        other_settings_or_keys_share_nothing,
        never_resume_hosts_leave_nothing_in_the_tier,
        revoked_sessions_are_gone_for_others,
        a_cleared_partition_is_empty_for_others,
        what_one_process_avoids_others_avoid,
        a_failed_transport_leaves_the_sessions_of_others,
        a_failed_transport_leaves_the_sessions_of_others_in_redis,
        load_fetches_the_tiers_sessions,
        a_tier_that_is_down_is_no_error,
        memory_stores_have_no_tier,
        invalid_stores_are_rejected;
    kin:
        kin_need_one_ticket,
        kin_leave_the_tier_alone;
    application_data:
        application_data_goes_through_the_tier;
    reused_tickets:
        one_ticket_is_enough,
        connections_at_once_share_a_ticket,
        a_renewed_ticket_replaces_the_one_before,
        a_declined_or_failed_ticket_is_dropped,
        a_reused_ticket_goes_through_lmdb,
        a_reused_ticket_goes_through_redis,
        a_declined_ticket_leaves_redis,
        early_data_excludes_reused_tickets;
}
