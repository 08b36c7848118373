//! The stream to Redis, with a deadline.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};

use store_core::net::{Deadline, DeadlineStream};

use super::settings::Target;

/// TCP, or TLS over it.
pub(super) enum Socket {
    Plain(DeadlineStream),
    #[cfg(feature = "redis-tls")]
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, DeadlineStream>>),
}

impl Socket {
    /// Connects TCP. The TLS handshake takes place with the first read or write.
    pub(super) fn connect(target: &Target, deadline: Deadline) -> io::Result<Self> {
        let addresses = (target.host.as_str(), target.port).to_socket_addrs()?;
        let tcp = deadline.connect(&addresses.collect::<Vec<_>>())?;
        let tcp = DeadlineStream::new(tcp, deadline);
        #[cfg(feature = "redis-tls")]
        if let Some(tls) = &target.tls {
            let connection = rustls::ClientConnection::new(tls.config.clone(), tls.name.clone());
            let connection = connection.map_err(io::Error::other)?;
            let stream = rustls::StreamOwned::new(connection, tcp);
            return Ok(Self::Tls(Box::new(stream)));
        }
        Ok(Self::Plain(tcp))
    }

    /// Sets the deadline of reads and writes.
    pub(super) fn set_deadline(&mut self, deadline: Deadline) {
        match self {
            Self::Plain(tcp) => tcp.set_deadline(Some(deadline)),
            #[cfg(feature = "redis-tls")]
            Self::Tls(stream) => stream.sock.set_deadline(Some(deadline)),
        }
    }

    /// Whether the peer has neither closed the connection nor sent unexpected data.
    pub(super) fn is_quiet(&self) -> bool {
        match self {
            Self::Plain(tcp) => peek(tcp.get_ref()) == Peek::Nothing,
            // The peer may send TLS messages between replies, such as tickets.
            #[cfg(feature = "redis-tls")]
            Self::Tls(stream) => peek(stream.sock.get_ref()) != Peek::Closed,
        }
    }
}

/// The state of the receive buffer.
#[derive(PartialEq)]
enum Peek {
    Nothing,
    Bytes,
    Closed,
}

fn peek(tcp: &TcpStream) -> Peek {
    let peeked = tcp.set_nonblocking(true);
    let peeked = peeked.and_then(|()| tcp.peek(&mut [0]));
    if tcp.set_nonblocking(false).is_err() {
        return Peek::Closed;
    }
    match peeked {
        Ok(0) => Peek::Closed,
        Ok(_) => Peek::Bytes,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Peek::Nothing,
        Err(_) => Peek::Closed,
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(into),
            #[cfg(feature = "redis-tls")]
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(from),
            #[cfg(feature = "redis-tls")]
            Self::Tls(stream) => stream.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            #[cfg(feature = "redis-tls")]
            Self::Tls(stream) => stream.flush(),
        }
    }
}
