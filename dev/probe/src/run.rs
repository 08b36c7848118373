//! The command `compare probe`: prints findings and explains failures.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use crate::dialer::Dialer;
use crate::{AddressRow, ConnectionRow, Error, Options, Probe, Report, print};

/// Receives each error message, a line without its end.
pub type OnError<'a> = &'a dyn Fn(&str);

/// Probes and prints as `compare probe` does. Returns whether every handshake succeeded.
///
/// `on_error` gets one line for each reason why handshakes failed, not for each connection.
/// `colours` is for an output that is a terminal ([`is_coloured`]).
pub fn run(
    options: &Options,
    colours: bool,
    out: &mut impl Write,
    on_error: OnError<'_>,
) -> Result<bool, Error> {
    let probe = Probe::new(options)?;
    let mut all_succeeded = true;
    let mut named = BTreeSet::new();
    for backend in probe.backends() {
        let report = probe.run_backend(backend, &mut |finding| {
            if options.json {
                print::json(finding, out)?;
            }
            Ok(())
        })?;
        if !options.json {
            print::report(&report, colours, out)?;
        }
        all_succeeded &= explain_failures(&report, on_error);
        explain_unresponsive(probe.dialer(), &report, &mut named, on_error);
    }
    Ok(all_succeeded)
}

/// Whether standard output is a terminal that shows colours, and `NO_COLOR` does not forbid them.
pub fn is_coloured() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Reports each failure once per address, with how often it occurred: messages of one failure may
/// differ in what the server said. Returns whether there was none.
fn explain_failures(report: &Report, on_error: OnError<'_>) -> bool {
    let connections = report.connections.iter();
    let connections =
        connections.map(|row| (row.failure, row.address.as_deref(), row.error.as_deref()));
    let addresses = report.addresses.iter();
    let addresses = addresses.map(|row| (row.failure, Some(row.to.as_str()), row.error.as_deref()));
    let mut failures = BTreeMap::new();
    for (failure, address, error) in connections.chain(addresses) {
        if let Some(error) = error {
            let (_, count) = failures
                .entry((failure, address))
                .or_insert((error, 0_usize));
            *count += 1;
        }
    }
    for (error, count) in failures.values() {
        let times = if *count > 1 {
            format!(" ({count} times)")
        } else {
            String::new()
        };
        on_error(&format!("{}: {error}{times}", report.backend));
    }
    failures.is_empty()
}

/// Names addresses that did not answer, each once, unless a failure of `report` covers them.
fn explain_unresponsive(
    dialer: &Dialer<'_>,
    report: &Report,
    named: &mut BTreeSet<String>,
    on_error: OnError<'_>,
) {
    if report.connections.iter().any(ConnectionRow::has_failed) {
        return;
    }
    for (address, message) in dialer.unresponsive_addresses() {
        let address = address.ip().to_string();
        let in_report = |row: &AddressRow| row.to == address && row.error.is_some();
        if !report.addresses.iter().any(in_report) && named.insert(address) {
            on_error(&format!(
                "{message}; other addresses answer, so this one is tried last from now on"
            ));
        }
    }
}
