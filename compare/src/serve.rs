//! `compare serve`: a server to test any client against.
//!
//! A server of the lab on a port, set up by flags. For each connection it prints whether the client
//! offered a session and whether it was resumed. The answer to `GET` says the same, so that curl and
//! browsers show it.

mod connection;
mod http;
mod listener;
mod options;
mod print;
mod row;
mod schedule;
mod state;

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
use print::{Listening, Printer};
use schedule::Schedule;
use state::{Event, State};

pub use options::{Key, Library as LibraryChoice, Options, Versions};
pub use row::{Declined, Row};

/// Events that wait for the printer at most. If there are more, connections wait.
const MAX_EVENTS: usize = 1024;

/// Serves until `--connections` have ended, or until Ctrl-C. A failed handshake is not an error.
pub fn run(options: &Options, out: &mut impl Write) -> Result<Outcome, Error> {
    let authority = Authority::new(options.key.into());
    let server = server(options, &authority);
    let socket = TcpListener::bind(options.listen).map_err(|error| {
        let listen = options.listen;
        Error::BadInput(format!(
            "cannot listen on {listen}: {error}; name another address with --listen, port 0 is a \
             free port"
        ))
    })?;
    let address = socket.local_addr().map_err(setup)?;
    if let Some(file) = &options.cert_out {
        write_root(file, &authority)?;
    }

    let (events, receiver) = sync_channel(MAX_EVENTS);
    let wake = events.clone();
    interrupt::install(move || {
        // If the queue is full, the printer is awake.
        let _ = wake.try_send(Event::Wake);
    })?;
    let mut printer = Printer::new(out, options.json);
    printer.listening(&Listening::new(address, options))?;
    let state = State {
        server,
        schedule: Schedule::new(options.decline_every, options.rotate_keys),
        events,
    };
    listener::start(state, socket, options.connections).map_err(setup)?;
    let mut ended = 0_u64;
    while options.connections.is_none_or(|limit| ended < limit) {
        let Ok(event) = receiver.recv() else { break };
        if interrupt::is_requested() {
            break;
        }
        match event {
            Event::Handshake(row) => printer.connection(&row)?,
            Event::ConnectionEnded => ended += 1,
            Event::Wake => {}
        }
    }
    printer.summary()?;
    Ok(Outcome::Passed)
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
            "cannot write {file}: {error}; name another file with --cert-out"
        ))
    })
}

fn setup(error: impl std::error::Error) -> Error {
    Error::Setup(error.to_string())
}
