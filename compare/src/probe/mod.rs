//! `compare probe`: connects to a server, several times, and says whether it lets clients resume.

mod client;
mod connection;
mod counted;
mod place;
mod print;
mod target;
mod verdict;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use pki_types::ServerName;

pub use connection::ConnectionRow;
pub use place::Place;
pub use target::{Target, TargetError};
pub use verdict::{Code, Verdict};

use self::client::{Client, client};
use self::connection::Attempt;
use crate::backend::Backend;
use crate::cli::{BackendChoice, ProbeOptions};
use crate::error::{Error, Outcome, complain};
use crate::progress;

/// Probes the server with each backend that was asked for, and prints what it found.
pub fn run(options: &ProbeOptions, out: &mut impl Write) -> Result<Outcome, Error> {
    let name = options.sni.as_deref().unwrap_or(&options.target.host);
    if ServerName::try_from(name).is_err() {
        let message = format!(
            "--sni: {name:?} is neither a DNS name nor an IP address: \
             give a name of the server's certificate, or leave --sni out"
        );
        return Err(Error::BadInput(message));
    }
    let backends = backends(options)?;
    // All of them before anything is sent: what is wrong with one is bad input.
    let clients = backends
        .iter()
        .map(|backend| client(*backend, options).map(|client| (*backend, client)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::BadInput(error.to_string()))?;

    let target = &options.target;
    let addresses = target.resolve().map_err(|error| {
        format!(
            "no address found for {}: {error}; check the name",
            target.host
        )
    });
    let attempt = Attempt {
        target,
        name,
        addresses: &addresses,
        timeout: options.timeout,
    };
    let mut outcome = Outcome::AsClaimed;
    for (backend, client) in &clients {
        let rows = probe(client.as_ref(), *backend, &attempt, options, out)?;
        outcome = outcome.and(explain(*backend, &rows));
    }
    Ok(outcome)
}

/// The backends that were asked for, if they can keep sessions where that was asked for.
fn backends(options: &ProbeOptions) -> Result<&'static [Backend], Error> {
    let message = match (options.backend, options.store.beyond()) {
        (BackendChoice::Rustls, Some(_)) => {
            "--store: rustls 0.23 shows its sessions to nobody, so they stay in memory: use \
             --backend openssl or rustls-preview"
        }
        (BackendChoice::All, Some(_)) => return Ok(&Backend::SHAREABLE),
        (_, None) if options.store_keys.is_some() => {
            "--store-keys: sessions in memory need no keys: give --store lmdb:DIR or \
             redis://HOST[:PORT], too"
        }
        (choice, _) => return Ok(choice.backends()),
    };
    Err(Error::BadInput(message.to_owned()))
}

/// Says why connections of one backend failed: a line for each reason, not for each connection.
fn explain(backend: Backend, rows: &[ConnectionRow]) -> Outcome {
    let mut failures = BTreeMap::new();
    for error in rows.iter().filter_map(|row| row.error.as_deref()) {
        *failures.entry(error).or_insert(0_usize) += 1;
    }
    for (error, times) in &failures {
        let often = if *times > 1 {
            format!(" ({times} times)")
        } else {
            String::new()
        };
        complain(format_args!("{backend}: {error}{often}"));
    }
    if failures.is_empty() {
        Outcome::AsClaimed
    } else {
        Outcome::Failed
    }
}

/// Makes all connections of one backend and prints them; the rows come back in order.
fn probe(
    client: &dyn Client,
    backend: Backend,
    attempt: &Attempt<'_>,
    options: &ProbeOptions,
    out: &mut impl Write,
) -> Result<Vec<ConnectionRow>, Error> {
    let bar = progress::bar(options.connections, backend.as_str());
    let next = AtomicUsize::new(1);
    let (mut rows, threads) = thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let mut threads = 0;
        for _ in 0..options.concurrency.min(options.connections) {
            let (sender, next) = (sender.clone(), &next);
            let work = move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number > options.connections {
                        return;
                    }
                    let row = attempt.make(client, backend, number);
                    if sender.send(row).is_err() {
                        return; // the output cannot be written any more
                    }
                }
            };
            match thread::Builder::new().spawn_scoped(scope, work) {
                Ok(_) => threads += 1,
                Err(error) if threads == 0 => {
                    return Err(Error::Setup(format!("cannot start a thread: {error}")));
                }
                // Those that there are do all the work.
                Err(error) => {
                    bar.suspend(|| complain(format_args!("only {threads} at a time: {error}")));
                    break;
                }
            }
        }
        drop(sender);
        let mut rows = Vec::new();
        for row in receiver {
            if options.json {
                print::json(&row, out)?;
            }
            bar.inc(1);
            rows.push(row);
        }
        Ok((rows, threads))
    })?;
    bar.finish_and_clear();

    rows.sort_by_key(|row| row.connection);
    let store = client.hand_over();
    let verdict = Verdict::of(backend.as_str(), &rows, threads, store.as_ref());
    if options.json {
        print::json(&verdict, out)?;
    } else {
        print::tables(&rows, &verdict, out)?;
    }
    Ok(rows)
}
