//! One connection, from its first byte to its last.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use lab::client_hello::{ClientHello, Unreadable};
use lab::server::ServerConnection;

use super::http::{self, Asked};
use super::listener::Listener;
use super::print::Row;
use super::schedule::Step;
use super::{Event, print};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait for a whole request.
const REQUEST: Duration = Duration::from_secs(30);
/// How long a connection may last.
const CONNECTION: Duration = Duration::from_secs(300);
/// How long to wait for a client that does not read.
const WRITE: Duration = Duration::from_secs(5);
/// How long to wait for a client to close its end.
const LINGER: Duration = Duration::from_secs(1);
/// How many bytes of one connection are read.
const LONGEST: usize = 1024 * 1024;
/// How long a `ClientHello` may be, in the records that it comes in.
const LONGEST_HELLO: usize = 32 * 1024;

/// Serves a client until either end closes.
pub(super) fn serve(stream: TcpStream, peer: SocketAddr, listener: &Listener) {
    let Ok(mut wire) = Wire::new(stream) else {
        return listener.tell(Event::Handshake(Box::new(Row::failed(
            peer,
            "it was gone at once",
        ))));
    };
    let mut row = Row::new(peer);
    match shake_hands(&mut wire, listener, &mut row) {
        Ok((connection, step)) => {
            let text = row.page(step.number, listener.server.library());
            listener.tell(Event::Handshake(Box::new(row)));
            answer(&mut wire, connection, &text);
        }
        Err(why) => {
            row.fail(&why);
            listener.tell(Event::Handshake(Box::new(row)));
        }
    }
    wire.close();
}

/// Does the handshake, and fills in what is known of it, also when it fails.
fn shake_hands(
    wire: &mut Wire,
    listener: &Listener,
    row: &mut Row,
) -> Result<(ServerConnection, Step), String> {
    let until = Instant::now() + HANDSHAKE;
    let mut bytes = wire.read(until, "before it sent anything")?;
    let begun = Instant::now();
    let hello = read_hello(wire, &mut bytes, until)?;
    let Some(hello) = hello else {
        // The library knows what to say to it, and a word for it.
        let mut connection = listener.server.connection();
        connection.receive(&bytes);
        wire.send(&mut connection)?;
        let why = connection.failed().unwrap_or("more was to come");
        return Err(format!("this is no ClientHello: {why}"));
    };

    row.offered = hello.offered().is_some();
    row.server_name = hello.server_name.as_deref().map(print::one_word);
    let server = &listener.server;
    let step = listener.schedule.next(row.offered, || server.rotate_keys());
    let mut connection = server.observed_connection(step.declines).without_echo();
    loop {
        connection.receive(&bytes);
        wire.send(&mut connection)?;
        if let Some(why) = connection.failed() {
            return Err(why.to_owned());
        }
        if let Some(facts) = connection.facts() {
            row.finish(&facts, &connection, server.settings(), begun.elapsed());
            return Ok((connection, step));
        }
        bytes = wire.read(until, "in the middle of the handshake")?;
    }
}

/// Reads until there is a whole `ClientHello`; `None` where the bytes are none.
fn read_hello(
    wire: &mut Wire,
    bytes: &mut Vec<u8>,
    until: Instant,
) -> Result<Option<ClientHello>, String> {
    loop {
        match ClientHello::parse(bytes) {
            Ok(hello) => return Ok(Some(hello)),
            Err(Unreadable::Incomplete) if bytes.len() < LONGEST_HELLO => {}
            Err(_) => return Ok(None),
        }
        bytes.extend(wire.read(until, "in the middle of the ClientHello")?);
    }
}

/// Answers requests until one of them, or an end, is the last.
fn answer(wire: &mut Wire, mut connection: ServerConnection, text: &str) {
    let last = Instant::now() + CONNECTION;
    let mut asked = connection.received();
    loop {
        let until = last.min(Instant::now() + REQUEST);
        let (taken, response, closes) = loop {
            match http::ask(&asked, text) {
                Asked::Answer {
                    taken,
                    response,
                    closes,
                } => break (taken, response, closes),
                Asked::Incomplete if connection.client_closed() => return close(wire, connection),
                Asked::Incomplete => {}
            }
            let Ok(bytes) = wire.read(until, "") else {
                return close(wire, connection);
            };
            connection.receive(&bytes);
            asked.extend(connection.received());
            if wire.send(&mut connection).is_err() || connection.is_closed() {
                return;
            }
        };
        asked.drain(..taken);
        connection.write(&response);
        if closes {
            return close(wire, connection);
        }
        if wire.send(&mut connection).is_err() {
            return;
        }
    }
}

fn close(wire: &mut Wire, mut connection: ServerConnection) {
    connection.close();
    // A client that is gone misses nothing.
    let _ = wire.send(&mut connection);
}

/// The socket, with an end to all waiting.
struct Wire {
    stream: TcpStream,
    read: usize,
}

impl Wire {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE))?;
        Ok(Self { stream, read: 0 })
    }

    /// The next bytes, or why there are none. `when` is said of a client that leaves.
    fn read(&mut self, until: Instant, when: &str) -> Result<Vec<u8>, String> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("the client fell silent {when}"));
            }
            if self.read >= LONGEST {
                return Err("the client sent too much".to_owned());
            }
            let read = self
                .stream
                .set_read_timeout(Some(left))
                .and_then(|()| self.stream.read(&mut buffer));
            match read {
                Ok(0) => return Err(format!("the client closed {when}")),
                Ok(length) => {
                    self.read += length;
                    buffer.truncate(length);
                    return Ok(buffer);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Err(format!("the client left {when}: {error}")),
                },
            }
        }
    }

    fn send(&mut self, connection: &mut ServerConnection) -> Result<(), String> {
        let mut out = Vec::new();
        connection.send(&mut out);
        let sent = self.stream.write_all(&out);
        sent.map_err(|error| format!("the client does not read: {error}"))
    }

    /// Closes so that what was sent arrives: a socket that is closed with bytes unread resets.
    fn close(mut self) {
        let until = Instant::now() + LINGER;
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            while self.read(until, "").is_ok() {}
        }
    }
}
