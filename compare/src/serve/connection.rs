//! One connection, from its first byte to its last.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use lab::client_hello::{ClientHello, Unreadable};
use lab::server::ServerConnection;

use super::http::{self, Reply};
use super::row::{self, Row};
use super::schedule::Step;
use super::state::{Event, State};

/// Timeout of a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest that a connection may last.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// Timeout of a write to a client that does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for a client to close its end.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes that are read from one connection at most.
const MAX_BYTES: usize = 1024 * 1024;
/// Bytes of a `ClientHello` at most, with its record headers.
const MAX_CLIENT_HELLO: usize = 32 * 1024;

/// Serves a client until either end closes.
pub(super) fn serve(stream: TcpStream, peer: SocketAddr, state: &State) {
    let Ok(mut socket) = Socket::new(stream) else {
        return state.send(Event::Handshake(Box::new(Row::failed(
            peer,
            "the client closed at once",
        ))));
    };
    let mut row = Row::new(peer);
    match handshake(&mut socket, state, &mut row) {
        Ok((connection, step)) => {
            let text = row.page(step.number, state.server.library());
            state.send(Event::Handshake(Box::new(row)));
            answer_requests(&mut socket, connection, &text);
        }
        Err(why) => {
            row.fail(&why);
            state.send(Event::Handshake(Box::new(row)));
        }
    }
    socket.close();
}

/// Does the handshake and fills in the row, as far as possible if it fails.
fn handshake(
    socket: &mut Socket,
    state: &State,
    row: &mut Row,
) -> Result<(ServerConnection, Step), String> {
    let until = Instant::now() + HANDSHAKE_TIMEOUT;
    let mut bytes = socket.read(until, "before it sent anything")?;
    let begun = Instant::now();
    let hello = read_hello(socket, &mut bytes, until)?;
    let Some(hello) = hello else {
        // The library answers with an alert and names the error.
        let mut connection = state.server.connection();
        connection.receive(&bytes);
        socket.send(&mut connection)?;
        let why = connection.failed().unwrap_or("it is incomplete");
        return Err(format!("not a ClientHello: {why}"));
    };

    row.offered = hello.offered().is_some();
    row.server_name = hello.server_name.as_deref().map(row::one_word);
    let server = &state.server;
    let step = state.schedule.next(row.offered, || server.rotate_keys());
    let mut connection = server.observed_connection(step.declines).without_echo();
    loop {
        connection.receive(&bytes);
        socket.send(&mut connection)?;
        if let Some(why) = connection.failed() {
            return Err(why.to_owned());
        }
        if let Some(facts) = connection.facts() {
            row.finish(&facts, &connection, server.settings(), begun.elapsed());
            return Ok((connection, step));
        }
        bytes = socket.read(until, "in the middle of the handshake")?;
    }
}

/// Reads a whole `ClientHello`; `None` if the bytes are something else.
fn read_hello(
    socket: &mut Socket,
    bytes: &mut Vec<u8>,
    until: Instant,
) -> Result<Option<ClientHello>, String> {
    loop {
        match ClientHello::parse(bytes) {
            Ok(hello) => return Ok(Some(hello)),
            Err(Unreadable::Incomplete) if bytes.len() < MAX_CLIENT_HELLO => {}
            Err(_) => return Ok(None),
        }
        bytes.extend(socket.read(until, "in the middle of the ClientHello")?);
    }
}

/// Answers requests until the client closes or asks to close, or the time is up.
fn answer_requests(socket: &mut Socket, mut connection: ServerConnection, text: &str) {
    let end = Instant::now() + CONNECTION_TIMEOUT;
    let mut request = connection.received();
    loop {
        let until = end.min(Instant::now() + REQUEST_TIMEOUT);
        let (taken, response, closes) = loop {
            match http::reply(&request, text) {
                Reply::Response {
                    taken,
                    response,
                    closes,
                } => break (taken, response, closes),
                Reply::Incomplete if connection.client_closed() => {
                    return close(socket, connection);
                }
                Reply::Incomplete => {}
            }
            let Ok(bytes) = socket.read(until, "") else {
                return close(socket, connection);
            };
            connection.receive(&bytes);
            request.extend(connection.received());
            if socket.send(&mut connection).is_err() || connection.is_closed() {
                return;
            }
        };
        request.drain(..taken);
        connection.write(&response);
        if closes {
            return close(socket, connection);
        }
        if socket.send(&mut connection).is_err() {
            return;
        }
    }
}

fn close(socket: &mut Socket, mut connection: ServerConnection) {
    connection.close();
    // Fails if the client has gone.
    let _ = socket.send(&mut connection);
}

/// A socket with timeouts and a limit of bytes.
struct Socket {
    stream: TcpStream,
    bytes_read: usize,
}

impl Socket {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        Ok(Self {
            stream,
            bytes_read: 0,
        })
    }

    /// The next bytes, or the reason why there are none. `when` says in that reason at which point the
    /// client went away.
    fn read(&mut self, until: Instant, when: &str) -> Result<Vec<u8>, String> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("the client sent nothing more {when}"));
            }
            if self.bytes_read >= MAX_BYTES {
                return Err("the client sent too much".to_owned());
            }
            let read = self
                .stream
                .set_read_timeout(Some(left))
                .and_then(|()| self.stream.read(&mut buffer));
            match read {
                Ok(0) => return Err(format!("the client closed {when}")),
                Ok(length) => {
                    self.bytes_read += length;
                    buffer.truncate(length);
                    return Ok(buffer);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Err(format!("the client disconnected {when}: {error}")),
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

    /// Closes so that the bytes sent arrive: closing a socket with unread bytes resets the connection.
    fn close(mut self) {
        let until = Instant::now() + LINGER;
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            while self.read(until, "").is_ok() {}
        }
    }
}
