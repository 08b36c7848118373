//! Connections with and without a session offered: does the server fail exactly when one is offered?

use crate::client::Client;
use crate::dialer::Dialer;
use crate::finding::BreaksRow;
use crate::{Backend, ConnectionRow, Error, series};

/// Which connections offer a session. Not every second one: if every second connection reaches a
/// machine that is broken, exactly the offers of the series failed, and one of the first two here
/// fails.
const OFFERS: [bool; 6] = [false, false, true, true, false, true];

/// Whether the first connections show a server that may fail exactly when a session is offered.
/// `avoids`: one offered none because offers had failed, those of another process perhaps.
pub(crate) fn is_suspected(rows: &[ConnectionRow], avoids: bool) -> bool {
    let offered = avoids || rows.iter().any(|row| row.offered);
    rows.len() > 1 && offered && rows.iter().all(is_as_suspected)
}

/// Whether a connection failed if it offered a session, and succeeded if it offered none.
pub(crate) fn is_as_suspected(row: &ConnectionRow) -> bool {
    row.has_failed() == row.offered
}

/// Makes connections until one is not as suspected. If one that offers a session times out, it is
/// the last: another one would take the whole timeout again.
///
/// Each session is offered by a client of its own: a store that remembers a failure offers the
/// server nothing for a while.
pub(crate) fn run(
    backend: Backend,
    dialer: &Dialer<'_>,
    new_client: impl Fn() -> Result<Box<dyn Client>, Error>,
) -> Result<BreaksRow, Error> {
    let mut row = BreaksRow {
        backend,
        offered: 0,
        offered_failed: 0,
        not_offered: 0,
        not_offered_failed: 0,
        failure: None,
        error: None,
    };
    let mut with_session = Vec::new();
    for offers in OFFERS {
        let client = match offers.then(|| with_session.pop()).flatten() {
            Some(client) => client,
            None => new_client()?,
        };
        let connection = series::connect_once(client.as_ref(), backend, dialer);
        let (count, failed) = if connection.offered {
            (&mut row.offered, &mut row.offered_failed)
        } else {
            (&mut row.not_offered, &mut row.not_offered_failed)
        };
        *count += 1;
        *failed += usize::from(connection.has_failed());
        if row.failure.is_none() {
            row.failure = connection.failure;
            row.error.clone_from(&connection.error);
        }
        if !is_as_suspected(&connection) || connection.has_timed_out() {
            break;
        }
        if !offers {
            with_session.push(client);
        }
    }
    Ok(row)
}
