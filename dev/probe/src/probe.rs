//! The connections and experiments of a probe, in their order.

use std::fmt;
use std::io;

use pki_types::ServerName;

use crate::client::{self, Client, Storage};
use crate::dialer::Dialer;
use crate::progress::Progress;
use crate::verdict::Evidence;
use crate::{
    Backend, BackendChoice, ConnectionRow, Cost, Error, Finding, Options, Report, SavesRow,
    Verdict, breaks, double_offer, series, session_source,
};

/// Full handshakes made beyond those of the series, for a median of them.
const EXTRA_FULL_HANDSHAKES: usize = 2;

/// Receives each finding as soon as it is there.
pub type OnFinding<'a> = &'a mut dyn FnMut(&Finding) -> io::Result<()>;

/// A server to probe, and a client for each backend.
pub struct Probe<'a> {
    clients: Vec<(Backend, Box<dyn Client>)>,
    dialer: Dialer<'a>,
}

impl fmt::Debug for Probe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("backends", &self.backends())
            .finish_non_exhaustive()
    }
}

impl<'a> Probe<'a> {
    /// Reads the files that the options name, and resolves the host. A host that cannot be resolved
    /// is not an error here: every connection fails with it.
    pub fn new(options: &'a Options) -> Result<Self, Error> {
        let name = options.server_name();
        if ServerName::try_from(name).is_err() {
            let message = format!(
                "--sni: {name:?} is neither a DNS name nor an IP address: \
                 give a name of the server's certificate, or leave --sni out"
            );
            return Err(Error::BadInput(message));
        }
        if options.cert.is_some() != options.key.is_some() {
            let message = "--cert and --key belong together: give both or neither";
            return Err(Error::BadInput(message.to_owned()));
        }
        // All clients before the first connection: their errors are bad input.
        let clients = backends(options)?
            .iter()
            .map(|backend| {
                Ok((
                    *backend,
                    new_client(*backend, options, Storage::Configured)?,
                ))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Self {
            clients,
            dialer: Dialer::new(options),
        })
    }

    /// The backends that connect, in their order.
    pub fn backends(&self) -> Vec<Backend> {
        self.clients.iter().map(|(backend, _)| *backend).collect()
    }

    /// Probes with each backend, one after the other.
    pub fn run(&self, on_finding: OnFinding<'_>) -> Result<Vec<Report>, Error> {
        let clients = self.clients.iter();
        clients
            .map(|(backend, client)| self.examine(*backend, client.as_ref(), on_finding))
            .collect()
    }

    /// Probes with one of the [`backends`](Self::backends).
    pub(crate) fn run_backend(
        &self,
        backend: Backend,
        on_finding: OnFinding<'_>,
    ) -> Result<Report, Error> {
        let mut clients = self.clients.iter();
        let Some((_, client)) = clients.find(|(one, _)| *one == backend) else {
            let message = format!("--backend: {backend} is not among the backends of this probe");
            return Err(Error::BadInput(message));
        };
        self.examine(backend, client.as_ref(), on_finding)
    }

    pub(crate) fn dialer(&self) -> &Dialer<'a> {
        &self.dialer
    }

    fn examine(
        &self,
        backend: Backend,
        client: &dyn Client,
        on_finding: OnFinding<'_>,
    ) -> Result<Report, Error> {
        let (dialer, options) = (&self.dialer, self.dialer.options());
        let progress = Progress::new(backend);
        let mut emit = |finding: Finding| {
            progress.increment();
            on_finding(&finding)
        };
        dialer.take_attempts();
        let connections = series::run(client, backend, dialer, &mut |row| {
            emit(Finding::Connection(row.clone()))
        })?;
        let tier = client.flush();
        // A single connection is no series: --connections 1 makes exactly one.
        let all_succeeded =
            connections.len() > 1 && !connections.iter().any(ConnectionRow::has_failed);
        let resumed = connections.iter().any(|row| row.resumed);
        let declined = connections.iter().any(ConnectionRow::is_declined);
        let private_client = || new_client(backend, options, Storage::Private);

        let mut addresses = Vec::new();
        if options.all_addresses && !dialer.addresses().is_empty() {
            progress.set_step("addresses");
            let client = private_client()?;
            addresses =
                session_source::offer_across(client.as_ref(), backend, dialer, &mut |row| {
                    emit(Finding::Address(row.clone()))
                })?;
        }
        let mut again = None;
        if let Some(address) = dialer.address_of(&connections[0])
            && all_succeeded
            && declined
        {
            progress.set_step("declined sessions");
            let client = private_client()?;
            again = session_source::offer_again(client.as_ref(), backend, dialer, address);
        }
        let mut breaks = None;
        if breaks::is_suspected(&connections, client.avoids()) {
            progress.set_step("failed resumptions");
            breaks = Some(breaks::run(backend, dialer, private_client)?);
        }
        let resumed_tickets = connections
            .iter()
            .any(|row| row.resumed && row.protocol.as_deref() == Some("TLS 1.3"));
        let mut twice = None;
        if all_succeeded && resumed_tickets && !declined {
            progress.set_step("a ticket twice");
            twice = double_offer::run(backend, dialer);
        }
        let burst = series::burst(backend, options.concurrency, &connections);
        let mut saves = None;
        if all_succeeded && resumed && options.concurrency == 1 {
            progress.set_step("savings");
            saves = savings(private_client()?.as_ref(), backend, dialer, &connections);
        }
        let verdict = Verdict::new(
            backend,
            &Evidence {
                options,
                rows: &connections,
                addresses: &addresses,
                addresses_known: dialer.addresses().len(),
                speaks_tls: dialer.has_seen_tls(),
                twice: twice.as_ref(),
                again: again.as_ref(),
                breaks: breaks.as_ref(),
                burst: burst.as_ref(),
                tier: tier.as_ref(),
            },
            dialer.take_attempts(),
        );
        let report = Report {
            backend,
            connections,
            addresses,
            twice,
            again,
            breaks,
            burst,
            saves,
            verdict,
        };
        for finding in report.experiments() {
            emit(finding)?;
        }
        Ok(report)
    }
}

fn new_client(
    backend: Backend,
    options: &Options,
    storage: Storage,
) -> Result<Box<dyn Client>, Error> {
    client::new(backend, options, storage).map_err(|error| Error::BadInput(error.to_string()))
}

/// The chosen backends. An error if one of them cannot do what was chosen.
fn backends(options: &Options) -> Result<&'static [Backend], Error> {
    let message = match (options.backend, options.store.tier_url()) {
        (BackendChoice::Rustls, _) if options.reuse_tickets => {
            "--reuse-tickets: tickets of rustls 0.23 cannot be copied: use --backend openssl or \
             rustls-preview"
        }
        (BackendChoice::Rustls, Some(_)) => {
            "--store: sessions of rustls 0.23 cannot leave memory: use --backend openssl or \
             rustls-preview"
        }
        (BackendChoice::All, Some(_)) => return Ok(&Backend::SHAREABLE),
        (_, None) if options.store_keys.is_some() => {
            "--store-keys: sessions in memory need no keys: also give --store lmdb:DIR or \
             redis://HOST[:PORT]"
        }
        (BackendChoice::All, None) if options.reuse_tickets => return Ok(&Backend::SHAREABLE),
        (choice, _) => return Ok(choice.backends()),
    };
    Err(Error::BadInput(message.to_owned()))
}

/// Compares resumed with full handshakes: those of the series and a few more full ones.
fn savings(
    client: &dyn Client,
    backend: Backend,
    dialer: &Dialer<'_>,
    rows: &[ConnectionRow],
) -> Option<SavesRow> {
    let mut full: Vec<_> = rows.iter().filter(|row| !row.resumed).cloned().collect();
    for _ in 0..EXTRA_FULL_HANDSHAKES {
        client.clear();
        full.push(series::connect_once(client, backend, dialer));
    }
    full.retain(|row| !row.has_failed());
    Some(SavesRow {
        backend,
        full: Cost::median_of(full.iter())?,
        resumed: Cost::median_of(rows.iter().filter(|row| row.resumed))?,
    })
}
