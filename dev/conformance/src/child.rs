//! What a child process does: it connects to a server of its parent's, with a store that it shares
//! with the other children; or it writes to that store's place without end, so that it can be
//! stopped in the middle of it.
//!
//! Its task are one line of JSON on its standard input; it tells what it does on its standard
//! output, one line of JSON for each connection. What was resumed, and with which ticket, is for
//! the parent's server to say.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tls_resume::pki_types::CertificateDer;
use tls_resume::{Limits, Resumption, SystemClock, TierStats, openssl, rustls_preview};

use crate::client::{Client, Connection, Setup, Store};
use crate::processes::Writer;
use crate::stage::{HOST, PORT, said, setup};
use crate::wire::Wire;

/// How a program asks itself to be a child, as its first argument.
const ASKED: &str = "__conformance-child";

/// How child processes are started: a program, and the arguments with which it calls [`main`], or
/// [`Task::obey`] for a client of its own.
#[derive(Clone, Debug)]
pub struct Launcher {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
}

impl Launcher {
    /// Starts this program.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
        }
    }

    /// Starts the program that is running, which has to call [`main`] if a child
    /// [`is_requested`].
    pub fn this_program() -> Self {
        // A program that cannot be found fails when it is started, in the claim's own words.
        let program = std::env::current_exe().unwrap_or_else(|_| "this program".into());
        Self::new(program).argument(ASKED)
    }

    /// With one more argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }
}

/// Whether this process is to be a child of [`Launcher::this_program`].
pub fn is_requested() -> bool {
    std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == ASKED)
}

/// What a child is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    pub(crate) client: String,
    pub(crate) server: SocketAddr,
    pub(crate) roots: Vec<Vec<u8>>,
    pub(crate) domain: String,
    pub(crate) store: Store,
    /// Whether to write to the place and do nothing else, until the process is killed.
    pub(crate) only_write: bool,
    /// How many connections to make, one after another.
    pub(crate) connections: usize,
    /// Whether they read the tickets that come. Connections that do not have to have a session
    /// fetched each.
    pub(crate) read_tickets: bool,
    /// A pause after each connection, for a child that is not to be done before it is killed.
    pub(crate) pause: Duration,
}

/// What a child tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) offered: bool,
    pub(crate) resumed: bool,
    /// What was done beyond memory until now.
    pub(crate) tier: TierStats,
}

/// What a line of a child's output says: that a connection was made, or why none was.
pub(crate) type Line = Result<Told, String>;

/// Obeys the task that this process is given, with the backend that they name.
pub fn main() -> ExitCode {
    let obeyed = Task::from_stdin().and_then(|task| match task.client() {
        "openssl" => task.run::<openssl::Connector>(),
        "rustls_preview" => task.run::<rustls_preview::Connector>(),
        other => Err(io::Error::other(format!("no client is called {other}"))),
    });
    match obeyed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("a child of the conformance tests: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Task {
    /// The task that this process is given.
    pub fn from_stdin() -> io::Result<Self> {
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// The name of the client that is to obey them.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// Obeys them with this client. What fails is told to the parent; an error is that it cannot be.
    pub fn run<C: Client>(&self) -> io::Result<()> {
        if self.only_write {
            return tell(&Err(self.write_for_ever()));
        }
        let client = match C::new(self.setup()) {
            Ok(client) => client,
            Err(why) => return tell(&Err(why)),
        };
        for _ in 0..self.connections {
            tell(&self.visit(&client))?;
            thread::sleep(self.pause);
        }
        // Dropping the client writes what its memory holds.
        Ok(())
    }

    fn visit<C: Client>(&self, client: &C) -> Line {
        let stream = TcpStream::connect(self.server).map_err(said)?;
        stream.set_nodelay(true).map_err(said)?;
        let wire = Wire::tcp(stream);
        let mut connection = client.connect(HOST, PORT, wire).map_err(said)?;
        if self.read_tickets {
            connection.read_tickets()?;
        }
        let resumption = connection.resumption();
        connection.close()?;
        Ok(Told {
            offered: resumption != Resumption::Full,
            resumed: resumption == Resumption::Resumed,
            tier: client.tier_stats(),
        })
    }

    /// Writes until it cannot, and says why.
    fn write_for_ever(&self) -> String {
        let directory = self.store.url.trim_start_matches("lmdb:");
        let mut writer = match Writer::open(Path::new(directory)) {
            Ok(writer) => writer,
            Err(why) => return why,
        };
        loop {
            if let Err(why) = writer.write() {
                return why;
            }
        }
    }

    fn setup(&self) -> Setup {
        let roots = self.roots.iter().cloned().map(CertificateDer::from);
        Setup {
            roots: roots.collect(),
            // Of a size that can be searched.
            limits: Limits::default().with_bytes(48 << 10, 1 << 20, 4 << 20),
            domain: self.domain.clone(),
            store: Some(self.store.clone()),
            clock: Arc::new(SystemClock),
            ..setup()
        }
    }
}

/// One write for a line, so that it is told wholly by a child that is killed.
fn tell(line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
