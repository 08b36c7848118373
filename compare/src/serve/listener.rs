//! Accepts connections and gives each a thread, up to a limit.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::connection;
use super::state::{Event, State};

/// Connections that are served at a time. Others wait in the system's queue.
const MAX_CONNECTIONS: usize = 256;
/// Delay after a failed `accept`, which fails mostly for lack of file descriptors.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// Starts a thread that accepts connections: `limit` of them, or any number.
pub(super) fn start(state: State, socket: TcpListener, limit: Option<u64>) -> io::Result<()> {
    let slots = Arc::new(Slots {
        state,
        used: Mutex::default(),
        released: Condvar::new(),
    });
    let accept = move || {
        let mut accepted = 0;
        while limit.is_none_or(|limit| accepted < limit) {
            let slot = Slots::acquire(&slots);
            let Ok((stream, peer)) = socket.accept() else {
                thread::sleep(RETRY_DELAY);
                continue;
            };
            accepted += 1;
            let guard = ConnectionGuard(slot);
            // If no thread can be started, the connection is closed.
            let _ = thread::Builder::new()
                .name("connection".to_owned())
                .spawn(move || connection::serve(stream, peer, guard.state()));
        }
    };
    thread::Builder::new()
        .name("listener".to_owned())
        .spawn(accept)
        .map(drop)
}

/// Limits the number of connections.
struct Slots {
    state: State,
    used: Mutex<usize>,
    released: Condvar,
}

impl Slots {
    /// Waits until fewer than [`MAX_CONNECTIONS`] slots are used, and uses one.
    fn acquire(slots: &Arc<Self>) -> Slot {
        let full = |used: &mut usize| *used >= MAX_CONNECTIONS;
        let waited = slots.released.wait_while(slots.used(), full);
        *waited.unwrap_or_else(PoisonError::into_inner) += 1;
        Slot(slots.clone())
    }

    fn used(&self) -> MutexGuard<'_, usize> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The slot of one connection; released on drop.
struct Slot(Arc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.used() -= 1;
        self.0.released.notify_one();
    }
}

/// Sends [`Event::ConnectionEnded`] on drop, even if the connection's thread panics.
struct ConnectionGuard(Slot);

impl ConnectionGuard {
    fn state(&self) -> &State {
        &self.0.0.state
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.state().send(Event::ConnectionEnded);
    }
}
