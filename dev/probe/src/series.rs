//! The connections that were asked for: the first alone, the others some at a time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::client::Client;
use crate::connection::Which;
use crate::finding::BurstRow;
use crate::gate::{Expected, Gate};
use crate::route::Route;
use crate::{Backend, ConnectionRow, Error, Failure};

/// Makes them, hands each on as soon as it is done, and gives all in order.
///
/// Before the first one is done nobody can resume, so it is alone; if it has waited in vain, there
/// are no others. Those after it begin their
/// handshakes together, once they are connected, and none reads what comes back before all have
/// sent what they offer: a burst is one whatever the network does.
pub(crate) fn make(
    client: &dyn Client,
    backend: Backend,
    route: &Route<'_>,
    each: &mut dyn FnMut(&ConnectionRow) -> io::Result<()>,
) -> Result<Vec<ConnectionRow>, Error> {
    let count = route.options().connections();
    let series = Series {
        client,
        backend,
        route,
        given: AtomicUsize::new(0),
    };
    let mut rows = vec![series.one(1, None)];
    each(&rows[0])?;
    if matches!(rows[0].failure, Some(Failure::NoAnswer | Failure::Silent)) {
        return Ok(rows); // the others would only wait as long again
    }
    let at_once = route.options().concurrency.min(count - 1);
    if at_once <= 1 {
        for number in 2..=count {
            let row = series.one(number, None);
            each(&row)?;
            rows.push(row);
        }
    } else {
        series.together(at_once, 2..=count, &mut |row| {
            each(&row)?;
            rows.push(row);
            Ok(())
        })?;
        rows.sort_by_key(|row| row.connection);
    }
    Ok(rows)
}

/// Makes a connection that is not one of those asked for.
pub(crate) fn single(client: &dyn Client, backend: Backend, route: &Route<'_>) -> ConnectionRow {
    let series = Series {
        client,
        backend,
        route,
        given: AtomicUsize::new(0),
    };
    series.one(0, None)
}

struct Series<'a> {
    client: &'a dyn Client,
    backend: Backend,
    route: &'a Route<'a>,
    /// Sessions that have come so far.
    given: AtomicUsize,
}

impl Series<'_> {
    fn together(
        &self,
        at_once: usize,
        numbers: std::ops::RangeInclusive<usize>,
        each: &mut dyn FnMut(ConnectionRow) -> io::Result<()>,
    ) -> Result<(), Error> {
        let (next, last) = (AtomicUsize::new(*numbers.start()), *numbers.end());
        let (gate, wrote) = (Gate::new(at_once), Arc::new(Gate::new(at_once)));
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            for place in 0..at_once {
                let (sender, next, gate) = (sender.clone(), &next, &gate);
                let expected = Expected::at(&wrote);
                let work = move || {
                    let mut gate = Some((gate, expected));
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number > last {
                            return;
                        }
                        let row = self.one(number, gate.take());
                        if sender.send(row).is_err() {
                            return; // nobody wants to know any more
                        }
                    }
                };
                if let Err(error) = thread::Builder::new().spawn_scoped(scope, work) {
                    // Those that there are do all the work, and do not wait for the others.
                    (place..at_once).for_each(|_| gate.arrive());
                    // Its own place was given up with `work`.
                    (place + 1..at_once).for_each(|_| wrote.arrive());
                    if place == 0 {
                        return Err(Error::Thread(error));
                    }
                    break;
                }
            }
            drop(sender);
            for row in receiver {
                each(row)?;
            }
            Ok(())
        })
    }

    /// Has a session fetched, connects, makes the handshake, waits for tickets and closes.
    fn one(&self, connection: usize, gate: Option<(&Gate, Expected)>) -> ConnectionRow {
        let (client, route) = (self.client, self.route);
        if !route.addresses().is_empty() {
            client.prefetch();
        }
        let reached = route.reach();
        let others = gate.map(|(gate, others)| {
            gate.arrive();
            gate.pass(route.options().timeout);
            others
        });
        let address = match &reached {
            Ok(reached) => Some(reached.address),
            Err((address, _)) => *address,
        };
        let which = Which {
            backend: self.backend,
            connection,
            address: address.map(|address| address.ip().to_string()),
            sessions_before: self.given.load(Ordering::SeqCst),
        };
        let facts = reached
            .map_err(|(_, failed)| failed)
            .and_then(|mut reached| {
                reached.io.end_after(route.options().timeout);
                if let Some(others) = others {
                    reached.io.read_after_others_write(others);
                }
                route.handshake(client, &mut reached, true)
            });
        match facts {
            Ok(facts) => {
                self.given.fetch_add(facts.tickets, Ordering::SeqCst);
                ConnectionRow::new(which, facts)
            }
            Err(failed) => ConnectionRow::failed(which, failed),
        }
    }
}

/// What became of those that were made at the same time; nothing if there were none.
pub(crate) fn burst(
    backend: Backend,
    concurrency: usize,
    rows: &[ConnectionRow],
) -> Option<BurstRow> {
    let parallel = || {
        rows.iter()
            .filter(|row| row.connection > 1 && row.error.is_none())
    };
    let count = |which: fn(&ConnectionRow) -> bool| parallel().filter(|row| which(row)).count();
    (concurrency > 1 && parallel().count() > 1).then(|| BurstRow {
        backend,
        concurrency: concurrency.min(parallel().count()),
        connections: parallel().count(),
        resumed: count(|row| row.resumed),
        declined: count(|row| row.offered && !row.resumed),
        used_up: count(|row| !row.offered && row.sessions_before > 0),
        nothing_yet: count(|row| !row.offered && row.sessions_before == 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failed;

    #[test]
    fn a_burst_has_no_more_connections_at_a_time_than_were_made() {
        let row = |connection| {
            let which = Which {
                backend: Backend::OpenSsl,
                connection,
                address: None,
                sessions_before: 0,
            };
            ConnectionRow::failed(which, Failed::new(Failure::Local, "no"))
        };
        let good = |connection| ConnectionRow {
            error: None,
            failure: None,
            ..row(connection)
        };
        let rows = [good(1), good(2), good(3), row(4), row(5)];
        let burst = burst(Backend::OpenSsl, 4, &rows).unwrap();
        assert_eq!((burst.connections, burst.concurrency), (2, 2));
    }
}
