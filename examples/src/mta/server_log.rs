//! The servers' log of sessions.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use lab::client_hello::{ClientHello, Unreadable};

/// Handshakes and offered tickets of several servers.
#[derive(Clone, Debug, Default)]
pub struct ServerLog {
    /// Completed handshakes.
    pub handshakes: usize,
    /// Resumed handshakes.
    pub resumed: usize,
    /// `ClientHello`s that offered a TLS 1.3 ticket, whether accepted or not.
    pub offers: usize,
    /// Offers of a ticket that had been offered before.
    pub used_twice: usize,
    /// The tickets offered so far.
    tickets: HashSet<Vec<u8>>,
}

impl ServerLog {
    fn record(&mut self, hello: ClientHello) {
        if let Some(ticket) = hello.psk_identities.into_iter().next() {
            self.offers += 1;
            self.used_twice += usize::from(!self.tickets.insert(ticket));
        }
    }
}

/// A log shared by the servers' connections.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedLog(Arc<Mutex<ServerLog>>);

impl SharedLog {
    pub(super) fn update<T>(&self, update: impl FnOnce(&mut ServerLog) -> T) -> T {
        update(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A connection that logs the `ClientHello` on arrival, even if the client is killed during the
/// handshake.
#[derive(Debug)]
pub(super) struct HelloRecorder {
    tcp: TcpStream,
    log: SharedLog,
    /// The received bytes, until the `ClientHello` is complete.
    received: Option<Vec<u8>>,
}

impl HelloRecorder {
    pub(super) fn new(tcp: TcpStream, log: SharedLog) -> Self {
        Self {
            tcp,
            log,
            received: Some(Vec::new()),
        }
    }
}

impl Read for HelloRecorder {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.tcp.read(buf)?;
        if let Some(mut received) = self.received.take() {
            received.extend_from_slice(&buf[..length]);
            match ClientHello::parse(&received) {
                Ok(hello) => self.log.update(|log| log.record(hello)),
                Err(Unreadable::Incomplete) => self.received = Some(received),
                Err(Unreadable::Malformed) => {}
            }
        }
        Ok(length)
    }
}

impl Write for HelloRecorder {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.tcp.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_offered_again_is_counted() {
        let mut log = ServerLog::default();
        for ticket in [
            &[b"one".to_vec()][..],
            &[b"two".to_vec()],
            &[],
            &[b"one".to_vec()],
        ] {
            log.record(ClientHello {
                psk_identities: ticket.to_vec(),
                ..ClientHello::default()
            });
        }
        assert_eq!((log.offers, log.used_twice), (3, 1));
    }
}
