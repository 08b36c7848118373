//! Sessions that a connection has received and not yet stored.

use std::collections::VecDeque;
use std::time::Duration;

use s2n_tls::callbacks::{SessionTicket, SessionTicketCallback};
use s2n_tls::connection::Connection;
use store_core::Limits;
use zeroize::Zeroizing;

/// The queue of received sessions, kept as the application context of the connection.
pub(crate) struct ReceivedSessions {
    queue: VecDeque<ReceivedSession>,
    // invariant: the bytes of `queue`
    bytes: usize,
    count: usize,
    last_lifetime: Option<Duration>,
    max_queued: usize,
    max_bytes: usize,
}

/// A received session, with the lifetime that the server gave it.
pub(crate) struct ReceivedSession {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) lifetime: Option<Duration>,
}

impl ReceivedSessions {
    /// A queue as long as the store's limits for one server: a server may send any number of tickets
    /// during one read.
    pub(crate) fn within(limits: &Limits) -> Self {
        Self {
            max_queued: limits.sessions_per_server.max(1),
            max_bytes: limits.server_bytes,
            ..Self::count_only()
        }
    }

    /// A queue that counts sessions and keeps none, for a server that is never resumed.
    pub(crate) fn count_only() -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            count: 0,
            last_lifetime: None,
            max_queued: 0,
            max_bytes: 0,
        }
    }

    /// Takes the queued sessions, oldest first.
    pub(crate) fn take(&mut self) -> VecDeque<ReceivedSession> {
        self.bytes = 0;
        std::mem::take(&mut self.queue)
    }

    /// Sessions received so far, queued or not.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn last_lifetime(&self) -> Option<Duration> {
        self.last_lifetime
    }

    /// Adds a session, and drops the oldest ones that exceed the limits.
    pub(crate) fn add(&mut self, session: ReceivedSession) {
        self.count = self.count.saturating_add(1);
        self.last_lifetime = session.lifetime;
        self.bytes += session.bytes.len();
        self.queue.push_back(session);
        while self.queue.len() > self.max_queued || self.bytes > self.max_bytes {
            let Some(oldest) = self.queue.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes.len();
        }
    }
}

/// Calls `access` with the received sessions of a connection. `None` if it is not of a
/// [`Connector`](crate::Connector).
pub(crate) fn with_received<T>(
    connection: &mut Connection,
    access: impl FnOnce(&mut ReceivedSessions) -> T,
) -> Option<T> {
    connection
        .application_context_mut::<ReceivedSessions>()
        .map(access)
}

/// The session ticket callback of s2n-tls. It queues sessions, and does not call the store.
pub(crate) struct TicketCallback;

impl SessionTicketCallback for TicketCallback {
    fn on_session_ticket(&self, connection: &mut Connection, ticket: &SessionTicket) {
        let (Ok(len), Ok(lifetime)) = (ticket.len(), ticket.lifetime()) else {
            return;
        };
        with_received(connection, |received| {
            let mut bytes = Zeroizing::new(vec![0; len]);
            if ticket.data(&mut bytes).is_ok() {
                received.add(ReceivedSession {
                    bytes,
                    lifetime: Some(lifetime),
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(len: usize) -> ReceivedSession {
        ReceivedSession {
            bytes: Zeroizing::new(vec![7; len]),
            lifetime: Some(Duration::from_secs(len as u64)),
        }
    }

    fn queued_lengths(received: &mut ReceivedSessions) -> Vec<usize> {
        let taken = received.take();
        taken.iter().map(|session| session.bytes.len()).collect()
    }

    #[test]
    fn the_queue_keeps_the_limits_of_a_server() {
        let limits = Limits::default()
            .with_sessions_per_server(2)
            .with_bytes(100, 100, 1_000);
        let mut received = ReceivedSessions::within(&limits);
        for (added, queued) in [
            (&[1, 2, 3][..], &[2, 3][..]),
            (&[60, 50], &[50]),
            (&[101], &[]),
            (&[101, 100], &[100]),
        ] {
            for &len in added {
                received.add(session(len));
            }
            assert_eq!(queued_lengths(&mut received), queued, "{added:?}");
        }
        assert_eq!(received.count(), 8);
        assert_eq!(received.last_lifetime(), Some(Duration::from_secs(100)));
    }

    #[test]
    fn a_server_that_is_never_resumed_has_no_queue() {
        let mut received = ReceivedSessions::count_only();
        received.add(session(1));
        assert_eq!(
            (received.count(), queued_lengths(&mut received)),
            (1, vec![])
        );
    }
}
