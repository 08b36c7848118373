//! What servers see of sessions, by their own word.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use lab::client_hello::{ClientHello, Unreadable};

/// What some servers have seen so far.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Handshakes that were completed.
    pub handshakes: usize,
    /// Those of them that were resumed.
    pub resumed: usize,
    /// `ClientHello`s that offered a ticket of TLS 1.3, whatever became of them.
    pub offers: usize,
    /// Those of them whose ticket had been offered before.
    pub used_twice: usize,
    /// Tickets that were offered: they are for one use.
    tickets: HashSet<Vec<u8>>,
}

impl Ledger {
    fn hear(&mut self, hello: ClientHello) {
        if let Some(ticket) = hello.psk_identities.into_iter().next() {
            self.offers += 1;
            self.used_twice += usize::from(!self.tickets.insert(ticket));
        }
    }
}

/// A ledger that the connections of servers write to.
#[derive(Clone, Debug, Default)]
pub(super) struct Book(Arc<Mutex<Ledger>>);

impl Book {
    pub(super) fn write<T>(&self, note: impl FnOnce(&mut Ledger) -> T) -> T {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A connection whose `ClientHello` is noted as soon as it is here: also that of a client which is
/// killed before the handshake is done.
#[derive(Debug)]
pub(super) struct Overheard {
    tcp: TcpStream,
    book: Book,
    /// What came so far, until the `ClientHello` is whole.
    first: Option<Vec<u8>>,
}

impl Overheard {
    pub(super) fn new(tcp: TcpStream, book: Book) -> Self {
        Self {
            tcp,
            book,
            first: Some(Vec::new()),
        }
    }
}

impl Read for Overheard {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.tcp.read(buf)?;
        if let Some(mut first) = self.first.take() {
            first.extend_from_slice(&buf[..length]);
            match ClientHello::parse(&first) {
                Ok(hello) => self.book.write(|ledger| ledger.hear(hello)),
                Err(Unreadable::Incomplete) => self.first = Some(first),
                Err(Unreadable::Malformed) => {}
            }
        }
        Ok(length)
    }
}

impl Write for Overheard {
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
    fn a_ticket_that_comes_again_is_noticed() {
        let mut ledger = Ledger::default();
        for ticket in [
            &[b"one".to_vec()][..],
            &[b"two".to_vec()],
            &[],
            &[b"one".to_vec()],
        ] {
            ledger.hear(ClientHello {
                psk_identities: ticket.to_vec(),
                ..ClientHello::default()
            });
        }
        assert_eq!((ledger.offers, ledger.used_twice), (3, 1));
    }
}
