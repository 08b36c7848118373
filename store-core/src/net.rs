//! Deadlines for TCP connections: one deadline for all reads and writes of a handshake or a
//! request, and timeouts that share it among the addresses of a host.
//!
//! The connectors and the Redis tier build on it. The store itself does no I/O.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The timeout that replaces one which overflows the clock: 100 years.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The time by which a series of socket operations must finish.
///
/// A socket's own timeout bounds each read alone: a peer that sends one byte at a time is never
/// timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline `timeout` from now; [`LONGEST_TIMEOUT`] from now if the clock would overflow.
    pub fn after(timeout: Duration) -> Self {
        let now = Instant::now();
        Self(
            now.checked_add(timeout)
                .unwrap_or_else(|| now + LONGEST_TIMEOUT),
        )
    }

    /// The time left; zero once the deadline has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The deadline `duration` later than this one.
    #[must_use]
    pub fn postponed(self, duration: Duration) -> Self {
        Self(
            self.0
                .checked_add(duration)
                .unwrap_or_else(|| self.0 + LONGEST_TIMEOUT),
        )
    }

    /// Pairs each address with the timeout for connecting to it: the time left, divided by the
    /// number of addresses left, so that an address that does not answer leaves time for the next
    /// ones. A timeout is computed when the iterator returns its address.
    pub fn share<A>(
        self,
        addresses: impl IntoIterator<Item = A, IntoIter: ExactSizeIterator>,
    ) -> impl Iterator<Item = (A, Duration)> {
        share(addresses, move || self.remaining())
    }

    /// Connects to the first of `addresses` that answers, with `TCP_NODELAY`. The error is that of
    /// the last address tried; [`io::ErrorKind::TimedOut`] if no time was left for any, and
    /// [`io::ErrorKind::NotFound`] if there is none.
    pub fn connect(self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let mut last = if addresses.is_empty() {
            io::Error::new(io::ErrorKind::NotFound, "the host has no address")
        } else {
            timed_out()
        };
        for (address, timeout) in self.share(addresses) {
            if timeout.is_zero() {
                break;
            }
            match TcpStream::connect_timeout(address, timeout) {
                Ok(tcp) => {
                    tcp.set_nodelay(true)?;
                    return Ok(tcp);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Does one read or write on `io` after `set_timeout` has limited it to the time left. Tries
    /// again after a signal. Fails with [`io::ErrorKind::TimedOut`] once the deadline has passed.
    pub fn run<IO, T>(
        self,
        io: &mut IO,
        set_timeout: impl Fn(&IO, Duration) -> io::Result<()>,
        mut operation: impl FnMut(&mut IO) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            let remaining = self.remaining();
            // A timeout of zero would mean none.
            if remaining.is_zero() {
                return Err(timed_out());
            }
            set_timeout(io, remaining)?;
            match operation(io) {
                // A socket with a timeout is interrupted by every signal.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The socket's timeout is over, perhaps a little early: the kernel rounds it.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }
}

/// [`Deadline::share`] for callers with a clock of their own: `remaining` returns the time left.
pub fn share<A>(
    addresses: impl IntoIterator<Item = A, IntoIter: ExactSizeIterator>,
    remaining: impl Fn() -> Duration,
) -> impl Iterator<Item = (A, Duration)> {
    let mut addresses = addresses.into_iter();
    std::iter::from_fn(move || {
        let left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let address = addresses.next()?;
        Some((address, remaining() / left))
    })
}

/// Limits each read and each write of `tcp` to `timeout`.
pub fn set_timeouts(tcp: &TcpStream, timeout: Duration) -> io::Result<()> {
    tcp.set_read_timeout(Some(timeout))?;
    tcp.set_write_timeout(Some(timeout))
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}

/// A TCP connection whose reads and writes end by a deadline, if it has one.
#[derive(Debug)]
pub struct DeadlineStream {
    tcp: TcpStream,
    deadline: Option<Deadline>,
}

impl DeadlineStream {
    /// Reads and writes on `tcp` end by `deadline`.
    pub fn new(tcp: TcpStream, deadline: Deadline) -> Self {
        Self {
            tcp,
            deadline: Some(deadline),
        }
    }

    /// The connection itself.
    pub fn get_ref(&self) -> &TcpStream {
        &self.tcp
    }

    /// Changes the deadline. With `None`, the socket's timeouts apply as they were set last.
    pub fn set_deadline(&mut self, deadline: Option<Deadline>) {
        self.deadline = deadline;
    }

    fn run<T>(
        &mut self,
        mut operation: impl FnMut(&mut TcpStream) -> io::Result<T>,
    ) -> io::Result<T> {
        match self.deadline {
            Some(deadline) => deadline.run(&mut self.tcp, set_timeouts, operation),
            None => operation(&mut self.tcp),
        }
    }
}

impl Read for DeadlineStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.run(|tcp| tcp.read(buf))
    }
}

impl Write for DeadlineStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.run(|tcp| tcp.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.run(|tcp| tcp.write_vectored(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.run(Write::flush)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// As a host with an unreachable IPv6 address.
    #[test]
    fn an_address_that_does_not_answer_leaves_time_to_the_next() {
        let (silent, other) = (listen(), listen());
        let addresses = [&silent, &other].map(|it| it.local_addr().unwrap());
        // A listener whose backlog is full does not answer.
        let timeout = Duration::from_millis(100);
        let backlog =
            std::iter::from_fn(|| TcpStream::connect_timeout(&addresses[0], timeout).ok());
        let backlog: Vec<_> = backlog.take(10_000).collect();
        let connected = Deadline::after(Duration::from_secs(2)).connect(&addresses);
        assert_eq!(connected.unwrap().peer_addr().unwrap(), addresses[1]);
        let alone = Deadline::after(timeout).connect(&addresses[..1]);
        assert_eq!(alone.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(backlog);
        let none = Deadline::after(timeout).connect(&[]);
        assert_eq!(none.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn each_address_gets_an_equal_part_of_the_time_left() {
        let left = std::cell::Cell::new(Duration::from_secs(12));
        let mut parts = share(["a", "b", "c"], || left.get());
        assert_eq!(parts.next(), Some(("a", Duration::from_secs(4))));
        left.set(Duration::from_secs(11)); // the first was refused soon
        assert_eq!(parts.next(), Some(("b", Duration::from_millis(5_500))));
        left.set(Duration::ZERO);
        assert_eq!(parts.next(), Some(("c", Duration::ZERO)));
        assert_eq!(parts.next(), None);
    }

    #[test]
    fn reads_together_end_by_the_deadline_however_slowly_bytes_come() {
        let listener = listen();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let sending = thread::spawn(move || {
            while peer.write_all(&[0]).is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        let deadline = Deadline::after(Duration::from_millis(100));
        let mut stream = DeadlineStream::new(tcp, deadline);
        let failed = loop {
            if let Err(error) = stream.read(&mut [0]) {
                break error;
            }
        };
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        assert!(deadline.remaining().is_zero());
        assert!(
            stream
                .write(&[0])
                .is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)
        );
        drop(stream);
        sending.join().unwrap();
    }

    #[test]
    fn a_timeout_too_long_for_the_clock_is_a_hundred_years() {
        let deadline = Deadline::after(Duration::MAX);
        assert!(deadline.remaining() > LONGEST_TIMEOUT / 2);
        assert!(deadline.postponed(Duration::MAX) > deadline);
    }

    fn listen() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }
}
