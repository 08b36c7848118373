//! A transport that counts bytes, listens, and ends in time.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tls_resume::ReadTimeout;

use crate::gate::Expected;
use crate::wire::{Heard, Wire};

/// A TCP connection that counts what goes through it.
///
/// Until [`lift`](Self::lift) all reads and writes together have to be done by a deadline: a server
/// that sends a byte now and then would outlast a timeout for each of them.
///
/// Of connections that are made at the same time, none [reads](Self::read_after_others_write) before
/// all have written: so none offers a ticket that another one of them brought.
///
/// A handshake begins with its first byte. What a client does before is not the server's: it makes
/// keys, seeds random numbers, and may look for a session in the store once more.
#[derive(Debug)]
pub(crate) struct Counted {
    tcp: TcpStream,
    wire: Wire,
    timeout: Duration,
    deadline: Cell<Option<Instant>>,
    first_byte: Option<Instant>,
    others: Option<Expected>,
    bytes_in: u64,
    bytes_out: u64,
}

impl Counted {
    pub(crate) fn new(tcp: TcpStream, timeout: Duration) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(Self {
            tcp,
            wire: Wire::default(),
            timeout,
            deadline: Cell::new(Some(Instant::now() + timeout)),
            first_byte: None,
            others: None,
            bytes_in: 0,
            bytes_out: 0,
        })
    }

    /// What went through so far was no part of the handshake.
    pub(crate) fn start_over(&mut self) {
        self.wire = Wire::default();
        self.first_byte = None;
        (self.bytes_in, self.bytes_out) = (0, 0);
    }

    /// Holds the first read back until the others have written, or the timeout is over.
    pub(crate) fn read_after_others_write(&mut self, others: Expected) {
        self.others = Some(others);
    }

    fn wait_for_others(&mut self) {
        let Some(others) = self.others.take() else {
            return;
        };
        let begun = Instant::now();
        others.pass(self.timeout);
        if let Some(deadline) = self.deadline.get() {
            self.deadline.set(Some(deadline + begun.elapsed())); // the server did not wait
        }
    }

    /// From now on all reads and writes have to be done within `limit`.
    pub(crate) fn end_after(&self, limit: Duration) {
        self.deadline.set(Some(Instant::now() + limit));
    }

    /// The handshake is done: from now on each read and each write may take the whole timeout again,
    /// unless another one is set for reads.
    pub(crate) fn lift(&self) -> io::Result<()> {
        self.deadline.set(None);
        self.wait_at_most(self.timeout)
    }

    /// How long ago the first byte was sent; nothing if none was.
    pub(crate) fn since_first_byte(&self) -> Duration {
        self.first_byte
            .map_or(Duration::ZERO, |first| first.elapsed())
    }

    pub(crate) fn bytes_in(&self) -> u64 {
        self.bytes_in
    }

    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    /// Listens a little longer to a server that speaks something else than TLS: a library stops
    /// where it is certain of that.
    pub(crate) fn listen_on(&mut self, limit: Duration) {
        self.end_after(limit);
        let _ = self.read(&mut [0; 64]); // what came before is enough
    }

    /// What the server said in the clear.
    pub(crate) fn heard(&self) -> &Heard {
        self.wire.heard()
    }

    fn wait_at_most(&self, timeout: Duration) -> io::Result<()> {
        self.tcp.set_read_timeout(Some(timeout))?;
        self.tcp.set_write_timeout(Some(timeout))
    }

    /// Does `work` on the connection, waiting no longer than there is time.
    fn in_time<T>(&self, mut work: impl FnMut(&TcpStream) -> io::Result<T>) -> io::Result<T> {
        loop {
            let Some(deadline) = self.deadline.get() else {
                return work(&self.tcp);
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.wait_at_most(left)?;
            match work(&self.tcp) {
                // A socket with a timeout is interrupted by every signal.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The timeout of the socket, or one that was rounded down.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait_for_others();
        let length = self.in_time(|mut tcp| tcp.read(buffer))?;
        self.bytes_in += length as u64;
        self.wire.hear(&buffer[..length]);
        Ok(length)
    }
}

impl Write for Counted {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.first_byte.get_or_insert_with(Instant::now);
        let length = self.in_time(|mut tcp| tcp.write(buffer))?;
        self.bytes_out += length as u64;
        if let Some(others) = &mut self.others {
            others.arrive();
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// PooledConfig to a TLS library: what was heard is still there when the handshake has failed.
impl ReadTimeout for &mut Counted {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_read_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.tcp.read_timeout()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(300);

    /// A connection, and the other end, which does nothing.
    fn connected() -> (Counted, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        (Counted::new(tcp, TIMEOUT).unwrap(), peer)
    }

    #[test]
    fn all_writes_together_end_by_the_deadline() {
        let (mut counted, _peer) = connected();
        let started = Instant::now();
        let error = loop {
            if let Err(error) = counted.write(&[0; 4_096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let took = started.elapsed();
        assert!(took >= TIMEOUT && took < 5 * TIMEOUT, "{took:?}");
        assert!(counted.bytes_out() > 0);
    }

    #[test]
    fn the_handshake_begins_with_its_first_byte() {
        let (mut counted, _peer) = connected();
        assert_eq!(counted.since_first_byte(), Duration::ZERO);
        let before = Instant::now();
        counted.write_all(b"hello").unwrap();
        let first = counted.since_first_byte();
        assert!(Duration::ZERO < first && first <= before.elapsed());
        counted.write_all(b"again").unwrap();
        assert!(counted.since_first_byte() > first);
    }

    #[test]
    fn what_came_before_the_handshake_does_not_count() {
        let (mut counted, mut peer) = connected();
        peer.write_all(b"220 hello").unwrap();
        counted.write_all(b"EHLO").unwrap();
        counted.read_exact(&mut [0; 9]).unwrap();
        assert_eq!((counted.bytes_in(), counted.bytes_out()), (9, 4));
        assert!(counted.heard().plain.is_some());
        counted.start_over();
        assert_eq!((counted.bytes_in(), counted.bytes_out()), (0, 0));
        assert_eq!(counted.since_first_byte(), Duration::ZERO);
        assert_eq!(*counted.heard(), Heard::default());
    }

    #[test]
    fn lifting_leaves_no_rest_of_the_deadline() {
        let (mut counted, _peer) = connected();
        std::thread::sleep(TIMEOUT / 3);
        counted.write_all(b"hello").unwrap();
        let rest = counted.tcp.write_timeout().unwrap().unwrap();
        assert!(rest < TIMEOUT, "{rest:?}");
        counted.lift().unwrap();
        for timeout in [counted.tcp.write_timeout(), counted.tcp.read_timeout()] {
            let timeout = timeout.unwrap().unwrap();
            assert!(timeout >= TIMEOUT, "{timeout:?}");
        }
    }
}
