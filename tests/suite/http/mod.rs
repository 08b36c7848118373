//! The connector in hyper's client, on each backend that tasks can drive.
//!
//! Programs that speak HTTP to real servers are in the package `examples`.

mod clients;
mod connecting;
mod failures;
mod plain;
mod rotation;

on_async_backends! {
    connecting:
        second_connections_resume,
        answers_have_the_connections_resumption_and_protocol,
        hosts_are_those_of_the_uri,
        sessions_are_shared_with_the_connector,
        requests_have_their_own_options;
    rotation:
        a_rotated_credential_resumes_no_old_session;
    failures:
        certificate_errors_are_among_the_sources,
        silent_servers_run_into_the_timeout,
        closed_ports_are_errors;
    plain:
        http_is_rejected_unless_allowed,
        allowed_http_has_no_tls,
        unknown_hosts_are_errors;
}
