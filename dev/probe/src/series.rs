//! The series of connections that `--connections` and `--concurrency` ask for.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::barrier::{Barrier, Participant};
use crate::client::Client;
use crate::connection::Attempt;
use crate::dialer::Dialer;
use crate::finding::BurstRow;
use crate::{Backend, ConnectionRow, Error};

/// Makes the connections, passes each to `on_row` once it is done, and returns all in order.
///
/// The first connection is alone: before it is done there is no session to offer. If it timed out
/// without one from the tier, no others follow. In a burst, connections begin their handshakes together once TCP has connected
/// all, and none reads before all have sent their `ClientHello`: they overlap whatever the network
/// does.
pub(crate) fn run(
    client: &dyn Client,
    backend: Backend,
    dialer: &Dialer<'_>,
    on_row: &mut dyn FnMut(&ConnectionRow) -> io::Result<()>,
) -> Result<Vec<ConnectionRow>, Error> {
    let count = dialer.options().connections();
    let series = Series::new(client, backend, dialer);
    let mut rows = vec![series.connect(1, None)];
    on_row(&rows[0])?;
    if rows[0].has_timed_out() && !rows[0].offered {
        return Ok(rows); // each of the others would take the whole timeout again
    }
    let concurrency = dialer.options().concurrency.min(count - 1);
    if concurrency <= 1 {
        for number in 2..=count {
            let row = series.connect(number, None);
            on_row(&row)?;
            rows.push(row);
        }
    } else {
        series.connect_concurrently(concurrency, 2..=count, &mut |row| {
            on_row(&row)?;
            rows.push(row);
            Ok(())
        })?;
        rows.sort_by_key(|row| row.connection);
    }
    Ok(rows)
}

/// Makes one connection that is not part of the series.
pub(crate) fn connect_once(
    client: &dyn Client,
    backend: Backend,
    dialer: &Dialer<'_>,
) -> ConnectionRow {
    Series::new(client, backend, dialer).connect(0, None)
}

struct Series<'a> {
    client: &'a dyn Client,
    backend: Backend,
    dialer: &'a Dialer<'a>,
    /// Number of sessions received so far.
    received: AtomicUsize,
}

impl<'a> Series<'a> {
    fn new(client: &'a dyn Client, backend: Backend, dialer: &'a Dialer<'a>) -> Self {
        Self {
            client,
            backend,
            dialer,
            received: AtomicUsize::new(0),
        }
    }

    fn connect_concurrently(
        &self,
        concurrency: usize,
        numbers: RangeInclusive<usize>,
        on_row: &mut dyn FnMut(ConnectionRow) -> io::Result<()>,
    ) -> Result<(), Error> {
        let (next, last) = (AtomicUsize::new(*numbers.start()), *numbers.end());
        let connected = Barrier::new(concurrency);
        let written = Arc::new(Barrier::new(concurrency));
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            for index in 0..concurrency {
                let (sender, next, connected) = (sender.clone(), &next, &connected);
                let participant = Participant::new(&written);
                let work = move || {
                    let mut barriers = Some((connected, participant));
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number > last {
                            return;
                        }
                        let row = self.connect(number, barriers.take());
                        if sender.send(row).is_err() {
                            return; // the receiver stopped at an error
                        }
                    }
                };
                if let Err(error) = thread::Builder::new().spawn_scoped(scope, work) {
                    // The threads that were started do all the work, without waiting for the rest.
                    (index..concurrency).for_each(|_| connected.arrive());
                    // Dropping `work` has dropped one participant.
                    (index + 1..concurrency).for_each(|_| written.arrive());
                    if index == 0 {
                        return Err(Error::Thread(error));
                    }
                    break;
                }
            }
            drop(sender);
            for row in receiver {
                on_row(row)?;
            }
            Ok(())
        })
    }

    /// Fetches a session from the tier, connects, makes the handshake, waits for tickets, closes.
    /// In a burst, `barriers` are where all are connected, and where all have written.
    fn connect(
        &self,
        connection: usize,
        barriers: Option<(&Barrier, Participant)>,
    ) -> ConnectionRow {
        let (client, dialer) = (self.client, self.dialer);
        let timeout = dialer.options().timeout;
        if !dialer.addresses().is_empty() {
            client.prefetch();
        }
        let connected = dialer.connect();
        let written = barriers.map(|(all_connected, written)| {
            all_connected.arrive();
            all_connected.wait(timeout);
            written
        });
        let address = match &connected {
            Ok(connected) => Some(connected.address),
            Err(failed) => failed.address,
        };
        let attempt = Attempt {
            backend: self.backend,
            connection,
            address: address.map(|address| address.ip().to_string()),
            sessions_before: self.received.load(Ordering::SeqCst),
        };
        let handshake = connected
            .map_err(|failed| failed.error)
            .and_then(|mut connected| {
                connected.io.set_deadline(timeout);
                if let Some(written) = written {
                    connected.io.set_barrier(written);
                }
                dialer.handshake(client, &mut connected, true)
            });
        match handshake {
            Ok(handshake) => {
                self.received.fetch_add(handshake.tickets, Ordering::SeqCst);
                ConnectionRow::new(attempt, handshake)
            }
            Err(error) => ConnectionRow::failed(attempt, error),
        }
    }
}

/// Counts the connections that were made at the same time; `None` if there were not several.
pub(crate) fn burst(
    backend: Backend,
    concurrency: usize,
    rows: &[ConnectionRow],
) -> Option<BurstRow> {
    let parallel: Vec<_> = rows
        .iter()
        .filter(|row| row.connection > 1 && !row.has_failed())
        .collect();
    let count =
        |matches: fn(&ConnectionRow) -> bool| parallel.iter().filter(|row| matches(row)).count();
    (concurrency > 1 && parallel.len() > 1).then(|| BurstRow {
        backend,
        concurrency: concurrency.min(parallel.len()),
        connections: parallel.len(),
        resumed: count(|row| row.resumed),
        declined: count(ConnectionRow::is_declined),
        used_up: count(|row| !row.offered && row.sessions_before > 0),
        nothing_yet: count(|row| !row.offered && row.sessions_before == 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;
    use crate::connection_error::ConnectionError;

    #[test]
    fn failed_connections_do_not_count_as_concurrent() {
        let failed = |connection| {
            let attempt = Attempt {
                backend: Backend::OpenSsl,
                connection,
                address: None,
                sessions_before: 0,
            };
            ConnectionRow::failed(attempt, ConnectionError::new(Failure::Local, "no"))
        };
        let succeeded = |connection| ConnectionRow {
            error: None,
            failure: None,
            ..failed(connection)
        };
        let rows = [
            succeeded(1),
            succeeded(2),
            succeeded(3),
            failed(4),
            failed(5),
        ];
        let burst = burst(Backend::OpenSsl, 4, &rows).unwrap();
        assert_eq!((burst.connections, burst.concurrency), (2, 2));
    }
}
