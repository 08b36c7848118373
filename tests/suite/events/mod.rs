//! Events for `tracing`, in real handshakes.

mod handshakes;

on_backends! {
    handshakes:
        each_use_of_a_session_is_an_event,
        failed_handshakes_are_events,
        retries_and_avoided_servers_are_events,
        events_have_neither_names_nor_sessions;
}
