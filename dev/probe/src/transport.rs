//! The transport of a handshake: counts bytes, reads the server's cleartext, has a deadline.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use store_core::net::{self, Deadline};
use tls_resume::ReadTimeout;

use crate::barrier::Participant;
use crate::wire::{Cleartext, WireReader};

/// A TCP connection to the server.
///
/// Until [`end_handshake`](Self::end_handshake), all reads and writes must be done by one deadline:
/// a server that sends a byte now and then would outlast a timeout for each of them.
///
/// With a [barrier](Self::set_barrier), no connection of a burst reads before all have written: so
/// none offers a ticket that another one received.
///
/// A handshake is timed from its first byte. What a client does before that (keys, random numbers,
/// a look into the store) is not the server's time.
#[derive(Debug)]
pub(crate) struct Transport {
    tcp: TcpStream,
    wire: WireReader,
    timeout: Duration,
    /// A cell: TLS streams lend their transport out shared only.
    deadline: Cell<Option<Deadline>>,
    first_write: Option<Instant>,
    barrier: Option<Participant>,
    bytes_in: u64,
    bytes_out: u64,
}

impl Transport {
    pub(crate) fn new(tcp: TcpStream, timeout: Duration) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(Self {
            tcp,
            wire: WireReader::default(),
            timeout,
            deadline: Cell::new(Some(Deadline::after(timeout))),
            first_write: None,
            barrier: None,
            bytes_in: 0,
            bytes_out: 0,
        })
    }

    /// Begins to count and to read cleartext anew, after STARTTLS.
    pub(crate) fn reset(&mut self) {
        self.wire = WireReader::default();
        self.first_write = None;
        (self.bytes_in, self.bytes_out) = (0, 0);
    }

    /// Delays the first read until all connections of the burst have written, or the timeout is
    /// over.
    pub(crate) fn set_barrier(&mut self, participant: Participant) {
        self.barrier = Some(participant);
    }

    fn wait_at_barrier(&mut self) {
        let Some(participant) = self.barrier.take() else {
            return;
        };
        let start = Instant::now();
        participant.wait(self.timeout);
        // The wait is not the server's time.
        let deadline = self.deadline.get();
        self.deadline
            .set(deadline.map(|deadline| deadline.postponed(start.elapsed())));
    }

    /// Sets the deadline for all reads and writes from now on.
    pub(crate) fn set_deadline(&self, timeout: Duration) {
        self.deadline.set(Some(Deadline::after(timeout)));
    }

    /// Removes the deadline. From now on each read and each write has the whole timeout, unless
    /// another one is set for reads.
    pub(crate) fn end_handshake(&self) -> io::Result<()> {
        self.deadline.set(None);
        net::set_timeouts(&self.tcp, self.timeout)
    }

    /// The time since the first byte was sent; zero if none was.
    pub(crate) fn elapsed(&self) -> Duration {
        self.first_write
            .map_or(Duration::ZERO, |first| first.elapsed())
    }

    pub(crate) fn bytes_in(&self) -> u64 {
        self.bytes_in
    }

    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    /// Reads a little more from a server whose connection failed: a library stops reading once it
    /// knows that this is not TLS, or that the connection is closed.
    pub(crate) fn read_rest(&mut self, timeout: Duration) {
        self.set_deadline(timeout);
        let _ = self.read(&mut [0; 64]); // without it, what was read before must do
    }

    /// What the server has sent in the clear.
    pub(crate) fn cleartext(&self) -> &Cleartext {
        self.wire.cleartext()
    }

    fn run<T>(
        &mut self,
        mut operation: impl FnMut(&mut TcpStream) -> io::Result<T>,
    ) -> io::Result<T> {
        match self.deadline.get() {
            Some(deadline) => deadline.run(&mut self.tcp, net::set_timeouts, operation),
            None => operation(&mut self.tcp),
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait_at_barrier();
        let length = self.run(|tcp| tcp.read(buffer))?;
        self.bytes_in += length as u64;
        self.wire.receive(&buffer[..length]);
        Ok(length)
    }
}

impl Write for Transport {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.first_write.get_or_insert_with(Instant::now);
        let length = self.run(|tcp| tcp.write(buffer))?;
        self.bytes_out += length as u64;
        if let Some(participant) = &mut self.barrier {
            participant.arrive();
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// For a TLS library that borrows the transport: the cleartext can still be read after a failed
/// handshake.
impl ReadTimeout for &mut Transport {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.tcp.set_read_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.tcp.read_timeout()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpListener;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(300);

    /// A transport, and its peer, which does nothing.
    fn connected() -> (Transport, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        (Transport::new(tcp, TIMEOUT).unwrap(), peer)
    }

    #[test]
    fn all_writes_together_end_by_the_deadline() {
        let (mut transport, _peer) = connected();
        let started = Instant::now();
        let error = loop {
            if let Err(error) = transport.write(&[0; 4_096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let took = started.elapsed();
        assert!(took >= TIMEOUT && took < 5 * TIMEOUT, "{took:?}");
        assert!(transport.bytes_out() > 0);
    }

    #[test]
    fn a_handshake_is_timed_from_its_first_byte() {
        let (mut transport, _peer) = connected();
        assert_eq!(transport.elapsed(), Duration::ZERO);
        let before = Instant::now();
        transport.write_all(b"hello").unwrap();
        let first = transport.elapsed();
        assert!(Duration::ZERO < first && first <= before.elapsed());
        transport.write_all(b"again").unwrap();
        assert!(transport.elapsed() > first);
    }

    #[test]
    fn bytes_before_the_handshake_do_not_count() {
        let (mut transport, mut peer) = connected();
        peer.write_all(b"220 hello").unwrap();
        transport.write_all(b"EHLO").unwrap();
        transport.read_exact(&mut [0; 9]).unwrap();
        assert_eq!((transport.bytes_in(), transport.bytes_out()), (9, 4));
        assert!(transport.cleartext().not_tls.is_some());
        transport.reset();
        assert_eq!((transport.bytes_in(), transport.bytes_out()), (0, 0));
        assert_eq!(transport.elapsed(), Duration::ZERO);
        assert_eq!(*transport.cleartext(), Cleartext::default());
    }

    #[test]
    fn after_the_handshake_the_whole_timeout_applies_again() {
        let (mut transport, _peer) = connected();
        std::thread::sleep(TIMEOUT / 3);
        transport.write_all(b"hello").unwrap();
        let rest = transport.tcp.write_timeout().unwrap().unwrap();
        assert!(rest < TIMEOUT, "{rest:?}");
        transport.end_handshake().unwrap();
        for timeout in [transport.tcp.write_timeout(), transport.tcp.read_timeout()] {
            let timeout = timeout.unwrap().unwrap();
            assert!(timeout >= TIMEOUT, "{timeout:?}");
        }
    }
}
