//! The task of a child process, and how the child does it.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tls_resume::pki_types::CertificateDer;
use tls_resume::{Limits, Resumption, SystemClock, TierStats, openssl, rustls_preview};

use crate::check::message;
use crate::client::{Client, Connection, Setup, Store};
use crate::fixture::{HOST, PORT, setup};
use crate::lmdb_writer::LmdbWriter;
use crate::wire::Wire;

/// The task of a child process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    pub(crate) client: String,
    pub(crate) server: SocketAddr,
    pub(crate) roots: Vec<Vec<u8>>,
    pub(crate) domain: String,
    pub(crate) store: Store,
    /// Whether the child only writes to the tier, until it is killed.
    pub(crate) only_write: bool,
    /// How many connections the child makes, one after another.
    pub(crate) connections: usize,
    /// Whether connections read their tickets. Otherwise each needs a session from the tier.
    pub(crate) read_tickets: bool,
    /// The pause after each connection, for a child that is to be killed between two.
    pub(crate) pause: Duration,
}

/// A connection, as the child reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConnectionReport {
    pub(crate) offered: bool,
    pub(crate) resumed: bool,
    /// The tier's counters so far.
    pub(crate) tier: TierStats,
}

/// A line of a child's output: a connection, or the error that ended the task.
pub(crate) type Report = Result<ConnectionReport, String>;

/// Runs the task on standard input, with the backend that it names.
pub fn main() -> ExitCode {
    let result = Task::from_stdin().and_then(|task| match task.client() {
        "openssl" => task.run::<openssl::Connector>(),
        "rustls_preview" => task.run::<rustls_preview::Connector>(),
        other => Err(io::Error::other(format!("unknown client {other}"))),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance child: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Task {
    /// Reads a task from standard input.
    pub fn from_stdin() -> io::Result<Self> {
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// The [`Client::name_for_child`] of the client that the task is for.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// Runs the task with clients of type `C`. Failures are reported to the parent; an error means
    /// that a report could not be written.
    pub fn run<C: Client>(&self) -> io::Result<()> {
        if self.only_write {
            return report(&Err(self.write_endlessly()));
        }
        let client = match C::new(self.setup()) {
            Ok(client) => client,
            Err(error) => return report(&Err(error)),
        };
        for _ in 0..self.connections {
            report(&self.connect(&client))?;
            thread::sleep(self.pause);
        }
        // Dropping the client writes the sessions in its memory to the tier.
        Ok(())
    }

    fn connect<C: Client>(&self, client: &C) -> Report {
        let stream = TcpStream::connect(self.server).map_err(message)?;
        stream.set_nodelay(true).map_err(message)?;
        let wire = Wire::tcp(stream);
        let mut connection = client.connect(HOST, PORT, wire).map_err(message)?;
        if self.read_tickets {
            connection.read_tickets()?;
        }
        let resumption = connection.resumption();
        if self.read_tickets {
            // Without it, tickets that have arrived stay unread: `close` would read them.
            connection.close()?;
        }
        Ok(ConnectionReport {
            offered: resumption != Resumption::Full,
            resumed: resumption == Resumption::Resumed,
            tier: client.tier_stats(),
        })
    }

    /// Writes to the LMDB tier until that fails, and returns the error.
    fn write_endlessly(&self) -> String {
        let directory = self.store.url.trim_start_matches("lmdb:");
        let mut writer = match LmdbWriter::open(Path::new(directory)) {
            Ok(writer) => writer,
            Err(error) => return error,
        };
        loop {
            if let Err(error) = writer.write() {
                return error;
            }
        }
    }

    fn setup(&self) -> Setup {
        let roots = self.roots.iter().cloned().map(CertificateDer::from);
        Setup {
            roots: roots.collect(),
            // A claim searches the whole file, so it is small.
            limits: Limits::default().with_bytes(48 << 10, 1 << 20, 4 << 20),
            domain: self.domain.clone(),
            store: Some(self.store.clone()),
            clock: Arc::new(SystemClock),
            ..setup()
        }
    }
}

/// Writes a line at once, so that a child that is killed has written whole lines.
fn report(report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_string(report)?;
    line.push('\n');
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
}
