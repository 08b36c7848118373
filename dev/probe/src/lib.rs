//! Why does my client not resume? Connects to a real server a few times, with each backend of
//! tls-resume, and answers: with a [`Verdict`] in plain words, a code and a remedy.
//!
//! A few connections show what the server gives and whether it takes it back. Where that raises a
//! question, an experiment of a few connections more answers it: whether a ticket is accepted
//! twice ([`TwiceRow`]), whether one address of a name takes sessions of another ([`AddressRow`]),
//! whether several machines answer at one address ([`AgainRow`]), what becomes of connections at
//! the same time ([`BurstRow`]), what resumption saves ([`SavesRow`]).
//!
//! What is found is plain data, which serde writes and reads; all that is printed is a function of
//! it. The command `compare probe` is [`run`]; a program that wants the data uses a [`Probe`]:
//!
//! ```no_run
//! use probe::{Code, Options, Probe};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options::new("example.com".parse()?);
//! let probe = Probe::new(&options)?;
//! for report in probe.ask(&mut |finding| Ok(println!("{finding:?}")))? {
//!     if report.verdict.code != Code::Resumes {
//!         println!("{}: {}", report.backend, report.verdict.text);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod backend;
mod client;
mod connection;
mod counted;
mod error;
mod failure;
mod finding;
mod gate;
mod options;
mod origin;
mod place;
mod print;
mod progress;
mod refusal;
mod route;
mod series;
mod starttls;
mod target;
mod twice;
mod verdict;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use pki_types::ServerName;

pub use backend::Backend;
pub use connection::ConnectionRow;
pub use error::Error;
pub use failure::Failure;
pub use finding::{
    AddressRow, AgainRow, BurstRow, Cost, Finding, Report, SavesRow, SessionKind, TwiceRow,
};
pub use options::{BackendChoice, Options};
pub use place::Place;
pub use starttls::{StartTls, StartTlsError};
pub use target::{Target, TargetError};
pub use verdict::{Code, Verdict};

use self::client::{Client, Keeps, client};
use self::progress::Progress;
use self::route::Route;
use self::verdict::Evidence;

/// Full handshakes that are made beside those asked for, so that there is a median of them.
const MORE_FULL: usize = 2;

/// Where a line about something that went wrong goes.
pub type Complain<'a> = &'a dyn Fn(&str);

/// Takes what is found as soon as it is.
pub type Each<'a> = &'a mut dyn FnMut(&Finding) -> io::Result<()>;

/// Probes as `compare probe` does: prints what it finds, and says whether every handshake
/// succeeded. Why one failed is a line for `complain`, once a reason and not once a connection.
///
/// `colours` is for an output that is a terminal ([`is_coloured`]).
pub fn run(
    options: &Options,
    colours: bool,
    out: &mut impl Write,
    complain: Complain<'_>,
) -> Result<bool, Error> {
    let probe = Probe::new(options)?;
    let mut good = true;
    let mut silent = BTreeSet::new();
    for backend in probe.backends() {
        let report = probe.ask_one(backend, &mut |finding| {
            if options.json {
                print::json(finding, out)?;
            }
            Ok(())
        })?;
        if !options.json {
            print::report(&report, colours, out)?;
        }
        good &= explain(&report, complain);
        for (address, why) in probe.route.silent_addresses() {
            let address = address.ip().to_string();
            let is_said = |row: &AddressRow| row.to == address && row.error.is_some();
            let failed = |row: &ConnectionRow| row.error.is_some();
            if !report.addresses.iter().any(is_said)
                && !report.connections.iter().any(failed)
                && silent.insert(address)
            {
                complain(&format!(
                    "{why}; others do, so it is tried last from now on"
                ));
            }
        }
    }
    Ok(good)
}

/// Whether standard output is a terminal that shows colours, and `NO_COLOR` does not forbid it.
pub fn is_coloured() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// A server, and the clients that ask it.
pub struct Probe<'a> {
    clients: Vec<(Backend, Box<dyn Client>)>,
    route: Route<'a>,
}

impl std::fmt::Debug for Probe<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe")
            .field("backends", &self.backends())
            .finish_non_exhaustive()
    }
}

impl<'a> Probe<'a> {
    /// Reads the files that the options name, and looks the name up. A name that is not found is
    /// not an error here but the failure of every connection.
    pub fn new(options: &'a Options) -> Result<Self, Error> {
        let name = options.name();
        if ServerName::try_from(name).is_err() {
            let message = format!(
                "--sni: {name:?} is neither a DNS name nor an IP address: \
                 give a name of the server's certificate, or leave --sni out"
            );
            return Err(Error::BadInput(message));
        }
        // All of them before anything is sent: what is wrong with one is bad input.
        let clients = backends(options)?
            .iter()
            .map(|backend| Ok((*backend, build(*backend, options, Keeps::AsAsked)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Self {
            clients,
            route: Route::find(options),
        })
    }

    /// Who asks, in this order.
    pub fn backends(&self) -> Vec<Backend> {
        self.clients.iter().map(|(backend, _)| *backend).collect()
    }

    /// Has all backends ask, one after the other.
    pub fn ask(&self, each: Each<'_>) -> Result<Vec<Report>, Error> {
        let backends = self.backends().into_iter();
        backends
            .map(|backend| self.ask_one(backend, each))
            .collect()
    }

    /// Has one backend ask; no answer if it is not among [`backends`](Self::backends).
    fn ask_one(&self, backend: Backend, each: Each<'_>) -> Result<Report, Error> {
        let clients = self.clients.iter();
        let client = clients
            .filter(|(one, _)| *one == backend)
            .map(|(_, client)| client.as_ref())
            .next();
        let Some(client) = client else {
            let message = format!("{backend} is not among those who ask");
            return Err(Error::BadInput(message));
        };
        self.examine(backend, client, each)
    }

    fn examine(
        &self,
        backend: Backend,
        client: &dyn Client,
        each: Each<'_>,
    ) -> Result<Report, Error> {
        let (route, options) = (&self.route, self.route.options());
        let progress = Progress::new(backend);
        let mut tell = |finding: Finding| {
            progress.step();
            each(&finding)
        };
        route.take_count();
        let connections = series::make(client, backend, route, &mut |row| {
            tell(Finding::Connection(row.clone()))
        })?;
        let store = client.hand_over();
        // Who asks for one connection gets one.
        let handshakes = connections.len() > 1 && connections.iter().all(|row| row.error.is_none());
        let resumed = connections.iter().any(|row| row.resumed);
        let declined = connections.iter().any(|row| row.offered && !row.resumed);
        let alone = || build(backend, options, Keeps::Alone);

        let mut addresses = Vec::new();
        if options.all_addresses && !route.addresses().is_empty() {
            progress.say("addresses");
            addresses = origin::addresses(alone()?.as_ref(), backend, route, &mut |row| {
                tell(Finding::Address(row.clone()))
            })?;
        }
        let mut again = None;
        if let Some(address) = route.address_of(&connections[0])
            && handshakes
            && declined
        {
            progress.say("declined sessions");
            again = origin::again(alone()?.as_ref(), backend, route, address);
        }
        let tickets = connections
            .iter()
            .any(|row| row.resumed && row.protocol.as_deref() == Some("TLS 1.3"));
        let mut twice = None;
        if handshakes && tickets && !declined {
            progress.say("a ticket twice");
            twice = twice::ask(backend, route);
        }
        let burst = series::burst(backend, options.concurrency, &connections);
        let mut saves = None;
        if handshakes && resumed && options.concurrency == 1 {
            progress.say("what it saves");
            saves = saved(alone()?.as_ref(), backend, route, &connections);
        }
        let verdict = Verdict::of(
            backend,
            &Evidence {
                options,
                rows: &connections,
                addresses: &addresses,
                addresses_known: route.addresses().len(),
                twice: twice.as_ref(),
                again: again.as_ref(),
                burst: burst.as_ref(),
                store: store.as_ref(),
            },
            route.take_count(),
        );
        let report = Report {
            backend,
            connections,
            addresses,
            twice,
            again,
            burst,
            saves,
            verdict,
        };
        for finding in report.experiments() {
            tell(finding)?;
        }
        Ok(report)
    }
}

fn build(backend: Backend, options: &Options, keeps: Keeps) -> Result<Box<dyn Client>, Error> {
    client(backend, options, keeps).map_err(|error| Error::BadInput(error.to_string()))
}

/// The backends that were asked for, if they can keep sessions where that was asked for.
fn backends(options: &Options) -> Result<&'static [Backend], Error> {
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

/// What resumption saves, by the connections that there were and a few full ones more.
fn saved(
    client: &dyn Client,
    backend: Backend,
    route: &Route<'_>,
    rows: &[ConnectionRow],
) -> Option<SavesRow> {
    let mut full: Vec<_> = rows.iter().filter(|row| !row.resumed).cloned().collect();
    for _ in 0..MORE_FULL {
        client.clear();
        full.push(series::single(client, backend, route));
    }
    full.retain(|row| row.error.is_none());
    Some(SavesRow {
        backend,
        full: Cost::of(full.iter())?,
        resumed: Cost::of(rows.iter().filter(|row| row.resumed))?,
    })
}

/// Says why connections of one backend failed: a line for each reason at each address, not for each
/// connection, whose texts may differ in what the server said.
fn explain(report: &Report, complain: Complain<'_>) -> bool {
    let connections = report.connections.iter();
    let connections =
        connections.map(|row| (row.failure, row.address.as_deref(), row.error.as_deref()));
    let addresses = report.addresses.iter();
    let addresses = addresses.map(|row| (row.failure, Some(row.to.as_str()), row.error.as_deref()));
    let mut failures = BTreeMap::new();
    for (failure, address, error) in connections.chain(addresses) {
        if let Some(error) = error {
            let (_, times) = failures
                .entry((failure, address))
                .or_insert((error, 0_usize));
            *times += 1;
        }
    }
    for (error, times) in failures.values() {
        let often = if *times > 1 {
            format!(" ({times} times)")
        } else {
            String::new()
        };
        complain(&format!("{}: {error}{often}", report.backend));
    }
    failures.is_empty()
}
