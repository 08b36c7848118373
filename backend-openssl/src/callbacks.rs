//! The callbacks of OpenSSL: each finds the connection of its `SSL` and calls it.

use openssl::ssl::{SslContextBuilder, SslRef, SslSessionRef};

use crate::ex_data::connection;
use crate::ffi::{self, HandshakeObserver, SessionObserver};

/// Sets the `new_session` callback of a context.
pub(crate) fn install(builder: &mut SslContextBuilder) {
    ffi::observe_sessions::<ConnectionObserver>(builder);
}

/// Sets the info callback of a connection, which reports how the handshake ends.
pub(crate) fn observe(ssl: &mut SslRef) {
    ffi::observe_handshake::<ConnectionObserver>(ssl);
}

/// Passes the events of the callbacks on to the connection.
struct ConnectionObserver;

impl SessionObserver for ConnectionObserver {
    fn session_received(ssl: &SslRef, session: &SslSessionRef) {
        if let Some(connection) = connection(ssl) {
            connection.session_received(ssl, session);
        }
    }
}

impl HandshakeObserver for ConnectionObserver {
    fn started(ssl: &SslRef) {
        if let Some(connection) = connection(ssl) {
            connection.handshake_started();
        }
    }

    fn done(ssl: &SslRef) {
        // The same event is sent before early data, when only the first flight is written.
        if ssl.is_init_finished()
            && let Some(connection) = connection(ssl)
        {
            connection.handshake_succeeded(ssl);
        }
    }

    fn failed(ssl: &SslRef) {
        if let Some(connection) = connection(ssl) {
            connection.handshake_failed();
        }
    }

    fn rejected(ssl: &SslRef) {
        if let Some(connection) = connection(ssl) {
            connection.alert_received(None);
        }
    }

    fn distrusted(ssl: &SslRef) {
        if let Some(connection) = connection(ssl) {
            connection.distrusted();
        }
    }

    fn alert_received(ssl: &SslRef, alert: u8) {
        if let Some(connection) = connection(ssl) {
            connection.alert_received(Some(alert));
        }
    }

    fn closed(ssl: &SslRef) {
        if let Some(connection) = connection(ssl) {
            connection.closed();
        }
    }
}
