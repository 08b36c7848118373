//! Accepts connections and gives each a thread, up to a limit.

use std::io;
use std::net::TcpListener;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use lab::server::Server;

use super::schedule::Schedule;
use super::{Event, connection};

/// How many connections are served at a time. Others wait in the system's queue.
const AT_A_TIME: usize = 256;
/// How long to wait when the system gives no connection, mostly for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// What the threads share.
pub(super) struct Listener {
    pub(super) server: Server,
    pub(super) schedule: Schedule,
    events: SyncSender<Event>,
    open: Mutex<usize>,
    closed: Condvar,
}

impl Listener {
    pub(super) fn new(server: Server, schedule: Schedule, events: SyncSender<Event>) -> Arc<Self> {
        Arc::new(Self {
            server,
            schedule,
            events,
            open: Mutex::default(),
            closed: Condvar::new(),
        })
    }

    /// Accepts connections, on a thread of its own: all, or so many.
    pub(super) fn start(
        self: Arc<Self>,
        socket: TcpListener,
        limit: Option<u64>,
    ) -> io::Result<()> {
        let accept = move || {
            let mut accepted = 0;
            while limit.is_none_or(|limit| accepted < limit) {
                let slot = self.slot();
                let Ok((stream, peer)) = socket.accept() else {
                    thread::sleep(PAUSE);
                    continue;
                };
                accepted += 1;
                let ending = Ending(slot);
                // Where no thread can be had, the connection is closed: that is all there is to do.
                let _ = thread::Builder::new()
                    .name("connection".to_owned())
                    .spawn(move || connection::serve(stream, peer, &ending.0.0));
            }
        };
        thread::Builder::new()
            .name("listener".to_owned())
            .spawn(accept)
            .map(drop)
    }

    /// Tells the printer. When nobody prints any more, the program is about to end.
    pub(super) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    fn slot(self: &Arc<Self>) -> Slot {
        let full = |open: &mut usize| *open >= AT_A_TIME;
        let waited = self.closed.wait_while(self.open(), full);
        *waited.unwrap_or_else(PoisonError::into_inner) += 1;
        Slot(self.clone())
    }

    fn open(&self) -> MutexGuard<'_, usize> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection among those that are served at a time.
struct Slot(Arc<Listener>);

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.open() -= 1;
        self.0.closed.notify_one();
    }
}

/// Says that a connection has ended, in whatever way its thread did.
struct Ending(Slot);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.0.tell(Event::Ended);
    }
}
