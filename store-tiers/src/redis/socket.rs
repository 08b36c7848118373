//! A stream to Redis that keeps a deadline.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Instant;

use super::settings::Target;

/// TCP, or TLS over it.
pub(super) enum Socket {
    Plain(Timed),
    #[cfg(feature = "redis-tls")]
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, Timed>>),
}

/// A TCP stream on which nothing waits beyond the deadline, however slowly bytes come.
pub(super) struct Timed {
    tcp: TcpStream,
    deadline: Instant,
}

impl Socket {
    /// Connects by TCP. A TLS handshake takes place with the first bytes.
    pub(super) fn connect(target: &Target, deadline: Instant) -> io::Result<Self> {
        let timed = Timed::connect(target, deadline)?;
        #[cfg(feature = "redis-tls")]
        if let Some(tls) = &target.tls {
            let connection = rustls::ClientConnection::new(tls.config.clone(), tls.name.clone());
            let connection = connection.map_err(io::Error::other)?;
            let stream = rustls::StreamOwned::new(connection, timed);
            return Ok(Self::Tls(Box::new(stream)));
        }
        Ok(Self::Plain(timed))
    }

    /// Changes until when reads and writes wait.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        match self {
            Self::Plain(timed) => timed.deadline = deadline,
            #[cfg(feature = "redis-tls")]
            Self::Tls(stream) => stream.sock.deadline = deadline,
        }
    }

    /// Whether the other end is, as far as is known here, still there, and says nothing unasked.
    pub(super) fn is_quiet(&self) -> bool {
        match self {
            Self::Plain(timed) => timed.peek() == Peek::Nothing,
            // TLS has messages of its own between answers, such as tickets.
            #[cfg(feature = "redis-tls")]
            Self::Tls(stream) => stream.sock.peek() != Peek::Closed,
        }
    }
}

/// What lies ready to be read.
#[derive(PartialEq)]
enum Peek {
    Nothing,
    Bytes,
    Closed,
}

impl Timed {
    fn connect(target: &Target, deadline: Instant) -> io::Result<Self> {
        let addresses = (target.host.as_str(), target.port).to_socket_addrs()?;
        let addresses: Vec<_> = addresses.collect();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for (tried, address) in addresses.iter().enumerate() {
            // Each gets its share, so that a dead first address does not use up all the time.
            let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            let tcp = remaining(deadline)
                .and_then(|remaining| TcpStream::connect_timeout(address, remaining / left));
            match tcp {
                Ok(tcp) => {
                    tcp.set_nodelay(true)?;
                    return Ok(Self { tcp, deadline });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn peek(&self) -> Peek {
        let peeked = self.tcp.set_nonblocking(true);
        let peeked = peeked.and_then(|()| self.tcp.peek(&mut [0]));
        if self.tcp.set_nonblocking(false).is_err() {
            return Peek::Closed;
        }
        match peeked {
            Ok(0) => Peek::Closed,
            Ok(_) => Peek::Bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Peek::Nothing,
            Err(_) => Peek::Closed,
        }
    }
}

fn remaining(deadline: Instant) -> io::Result<std::time::Duration> {
    let remaining = deadline.saturating_duration_since(Instant::now());
    // Zero would mean to wait for ever.
    (!remaining.is_zero()).then_some(remaining).ok_or_else(late)
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}

/// The system calls it "would block" when a stream's timeout is over.
fn in_time<T>(result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => late(),
        _ => error,
    })
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(Some(remaining(self.deadline)?))?;
        in_time(self.tcp.read(into))
    }
}

impl Write for Timed {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let remaining = remaining(self.deadline)?;
        self.tcp.set_write_timeout(Some(remaining))?;
        in_time(self.tcp.write(from))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.read(into),
            #[cfg(feature = "redis-tls")]
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(timed) => timed.write(from),
            #[cfg(feature = "redis-tls")]
            Self::Tls(stream) => stream.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(timed) => timed.flush(),
            #[cfg(feature = "redis-tls")]
            Self::Tls(stream) => stream.flush(),
        }
    }
}
