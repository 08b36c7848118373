//! What s2n-tls calls: it is handed sessions, and asks for the time. Nothing in here calls the store.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use s2n_tls::callbacks::{SessionTicket, SessionTicketCallback, WallClock};
use s2n_tls::connection::Connection;
use store_core::{Clock, Limits, SystemClock, Timestamp};
use zeroize::Zeroizing;

/// What one connection was given and has not yet put into the store. It lives in the connection.
pub(crate) struct Arrivals {
    kept: VecDeque<Arrival>,
    // invariant: those of `kept`
    bytes: usize,
    received: usize,
    last_lifetime: Option<Duration>,
    most: usize,
    most_bytes: usize,
}

/// A session that came, and the server's word on how long it lives.
pub(crate) struct Arrival {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) lifetime: Option<Duration>,
}

impl Arrivals {
    /// A server may send tickets without end while one read goes on: no more wait than the store
    /// would keep of this server.
    pub(crate) fn within(limits: &Limits) -> Self {
        Self {
            most: limits.sessions_per_server.max(1),
            most_bytes: limits.server_bytes,
            ..Self::counted()
        }
    }

    /// Of a server that is never resumed with: what comes is counted, and dropped.
    pub(crate) fn counted() -> Self {
        Self {
            kept: VecDeque::new(),
            bytes: 0,
            received: 0,
            last_lifetime: None,
            most: 0,
            most_bytes: 0,
        }
    }

    /// Hands out what has come since, oldest first.
    pub(crate) fn take(&mut self) -> VecDeque<Arrival> {
        self.bytes = 0;
        std::mem::take(&mut self.kept)
    }

    pub(crate) fn received(&self) -> usize {
        self.received
    }

    pub(crate) fn last_lifetime(&self) -> Option<Duration> {
        self.last_lifetime
    }

    pub(crate) fn add(&mut self, arrival: Arrival) {
        self.received = self.received.saturating_add(1);
        self.last_lifetime = arrival.lifetime;
        self.bytes += arrival.bytes.len();
        self.kept.push_back(arrival);
        while self.kept.len() > self.most || self.bytes > self.most_bytes {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes.len();
        }
    }
}

/// The callback for sessions.
pub(crate) struct Collects;

impl SessionTicketCallback for Collects {
    fn on_session_ticket(&self, connection: &mut Connection, ticket: &SessionTicket) {
        let Some(arrivals) = connection.application_context_mut::<Arrivals>() else {
            return;
        };
        let (Ok(len), Ok(lifetime)) = (ticket.len(), ticket.lifetime()) else {
            return;
        };
        let mut bytes = Zeroizing::new(vec![0; len]);
        if ticket.data(&mut bytes).is_err() {
            return;
        }
        arrivals.add(Arrival {
            bytes,
            lifetime: Some(lifetime),
        });
    }
}

/// The store's clock for s2n-tls, which writes the time into sessions, and fails a handshake whose
/// session has a later time than it is. So it does not go back by less than a second, as clocks do
/// that are corrected: it waits.
pub(crate) struct Steady {
    clock: Arc<dyn Clock>,
    latest: Mutex<Timestamp>,
}

impl Steady {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let latest = Mutex::new(Timestamp::EPOCH);
        Self { clock, latest }
    }

    /// The time, as s2n-tls is to see it.
    pub(crate) fn now(&self) -> Timestamp {
        let now = now(&*self.clock).unwrap_or_else(|| SystemClock.now());
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.since(now).is_none_or(|back| back > WAITS) {
            *latest = now;
        }
        *latest
    }
}

/// What the store takes for a correction of the clock, and not for another time.
const WAITS: Duration = Duration::from_secs(1);

/// [`Steady`], where s2n-tls can ask it.
pub(crate) struct WallTime(pub(crate) Arc<Steady>);

impl WallClock for WallTime {
    fn get_time_since_epoch(&self) -> Duration {
        self.0.now().since_epoch()
    }
}

/// The time, unless the clock panics: then there is none, and whatever needed it is a miss.
pub(crate) fn now(clock: &dyn Clock) -> Option<Timestamp> {
    catch_unwind(AssertUnwindSafe(|| clock.now())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(len: usize) -> Arrival {
        Arrival {
            bytes: Zeroizing::new(vec![7; len]),
            lifetime: Some(Duration::from_secs(len as u64)),
        }
    }

    fn lengths(arrivals: &mut Arrivals) -> Vec<usize> {
        let taken = arrivals.take();
        taken.iter().map(|arrival| arrival.bytes.len()).collect()
    }

    #[test]
    fn no_more_waits_than_a_server_may_have() {
        let limits = Limits::default()
            .with_sessions_per_server(2)
            .with_bytes(100, 100, 1_000);
        let mut arrivals = Arrivals::within(&limits);
        for (came, waits) in [
            (&[1, 2, 3][..], &[2, 3][..]),
            (&[60, 50], &[50]),
            (&[101], &[]),
            (&[101, 100], &[100]),
        ] {
            for &len in came {
                arrivals.add(arrival(len));
            }
            assert_eq!(lengths(&mut arrivals), waits, "{came:?}");
        }
        assert_eq!(arrivals.received(), 8);
        assert_eq!(arrivals.last_lifetime(), Some(Duration::from_secs(100)));
    }

    #[test]
    fn of_a_server_that_is_never_resumed_with_nothing_waits() {
        let mut arrivals = Arrivals::counted();
        arrivals.add(arrival(1));
        assert_eq!((arrivals.received(), lengths(&mut arrivals)), (1, vec![]));
    }
}
