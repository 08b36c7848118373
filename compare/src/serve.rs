//! `compare serve`: a server to test any client against.
//!
//! A server of the lab on a port, set by flags. It says in a line for each connection whether the
//! client offered a session and whether that was resumed, and tells the client the same in its
//! answer to `GET`, so that curl and browsers show it.

mod connection;
mod http;
mod listener;
mod options;
mod print;
mod schedule;

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use lab::certificate::Authority;
use lab::server::{Group, Library, Server, ServerResumption, ServerSettings};

use crate::error::{Error, Outcome};
use crate::interrupt;
use listener::Listener;
use print::{Listening, Printer};
use schedule::Schedule;

pub use options::{Key, Library as LibraryChoice, Options, Versions};
pub use print::{Declined, Row};

/// How many events may wait for the printer. Connections wait when there are more.
const WAITING: usize = 1024;

/// What the printer is told.
enum Event {
    /// A handshake is done, or has failed.
    Handshake(Box<Row>),
    /// A connection has ended.
    Ended,
    /// Something else is to be looked at: whether to stop.
    Wake,
}

/// Serves until so many connections have ended as were asked for, or until Ctrl-C.
///
/// Handshakes that fail are the clients' affair and no error.
pub fn run(options: &Options, out: &mut impl Write) -> Result<Outcome, Error> {
    let authority = Authority::new(options.key.into());
    let server = server(options, &authority);
    let socket = TcpListener::bind(options.listen).map_err(|error| {
        let listen = options.listen;
        Error::BadInput(format!(
            "cannot listen on {listen}: {error}; --listen names another address, port 0 a free port"
        ))
    })?;
    let address = socket.local_addr().map_err(cannot)?;
    if let Some(file) = &options.cert_out {
        write_root(file, &authority)?;
    }

    let (events, arriving) = sync_channel(WAITING);
    let wake = events.clone();
    interrupt::listen(move || {
        // Where the queue is full, the printer has something to wake up for.
        let _ = wake.try_send(Event::Wake);
    })?;
    let schedule = Schedule::new(options.decline_every, options.rotate_keys);
    let mut printer = Printer::new(out, options.json);
    printer.listening(&Listening::new(address, options))?;
    Listener::new(server, schedule, events)
        .start(socket, options.connections)
        .map_err(cannot)?;
    let mut ended = 0_u64;
    while options.connections.is_none_or(|limit| ended < limit) {
        let Ok(event) = arriving.recv() else { break };
        if interrupt::is_asked() {
            break;
        }
        match event {
            Event::Handshake(row) => printer.connection(&row)?,
            Event::Ended => ended += 1,
            Event::Wake => {}
        }
    }
    printer.summary()?;
    Ok(Outcome::AsClaimed)
}

fn server(options: &Options, authority: &Authority) -> Server {
    let mut names: Vec<&str> = options.name.iter().map(String::as_str).collect();
    if names.is_empty() {
        names = vec!["localhost", "127.0.0.1", "::1"];
    }
    let library = Library::from(options.backend);
    let newest_first = [Group::X25519MlKem768, Group::X25519, Group::P256];
    let settings = ServerSettings {
        protocols: options.tls.protocols().to_vec(),
        groups: newest_first
            .into_iter()
            .filter(|group| library.supports(*group))
            .collect(),
        tickets: options.tickets,
        lifetime: options.lifetime.map(Duration::from_secs),
        resumption: if options.tickets == 0 {
            ServerResumption::Off
        } else {
            ServerResumption::Tickets
        },
        ..ServerSettings::new(authority.issue(&names))
    };
    Server::new(library, &settings)
}

fn write_root(file: &Path, authority: &Authority) -> Result<(), Error> {
    fs::write(file, authority.root_pem()).map_err(|error| {
        let file = file.display();
        Error::BadInput(format!(
            "cannot write {file}: {error}; --cert-out names another file"
        ))
    })
}

fn cannot(error: impl std::error::Error) -> Error {
    Error::Setup(error.to_string())
}
