//! Tickets that a correct server does not send, by a real rustls server.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;

/// The bytes before the encrypted part of a ticket: its length.
const LENGTH: usize = 4;
/// The ticket of a server that sends the same one each time.
const SAME: [u8; 64] = [0x5a; 64];
/// The default lifetime in seconds: a day.
const LIFETIME: u32 = 86_400;

/// A ticketer with faults, for [`RustlsOnly::ticketer`](crate::server::RustlsOnly).
///
/// The server never declines a ticket for its age, so that a client that offers an expired ticket
/// resumes.
pub struct FaultyTicketer {
    inner: Arc<dyn ProducesTickets>,
    size: usize,
    lifetime: u32,
    mode: Mode,
}

/// How tickets are made and decrypted.
enum Mode {
    Correct,
    /// No ticket is accepted.
    Declining,
    /// Every ticket is [`SAME`], and stands for the first or the newest session of the server.
    Same {
        newest: bool,
        session: Mutex<Option<Vec<u8>>>,
    },
}

impl FaultyTicketer {
    /// Correct tickets with a lifetime of a day.
    ///
    /// # Panics
    ///
    /// Panics if the system has no random bytes.
    pub fn new() -> Self {
        Self {
            inner: Ticketer::new().expect("the system has random bytes for ticket keys"),
            size: 0,
            lifetime: LIFETIME,
            mode: Mode::Correct,
        }
    }

    /// Pads each ticket to `size` bytes; the message has room for 65,535.
    #[must_use]
    pub fn with_size(self, size: usize) -> Self {
        Self { size, ..self }
    }

    /// Announces this lifetime, even one that the protocol does not allow.
    #[must_use]
    pub fn with_lifetime(self, seconds: u32) -> Self {
        Self {
            lifetime: seconds,
            ..self
        }
    }

    /// Declines every ticket.
    #[must_use]
    pub fn declining(self) -> Self {
        Self {
            mode: Mode::Declining,
            ..self
        }
    }

    /// Sends the same ticket each time, which stands for the server's newest session.
    #[must_use]
    pub fn same_ticket_for_newest(self) -> Self {
        self.same_ticket(true)
    }

    /// Sends the same ticket each time, which stands for the server's first session: a client that
    /// resumes with a later one has another secret than the server, and the handshake fails.
    #[must_use]
    pub fn same_ticket_for_first(self) -> Self {
        self.same_ticket(false)
    }

    fn same_ticket(self, newest: bool) -> Self {
        let session = Mutex::default();
        Self {
            mode: Mode::Same { newest, session },
            ..self
        }
    }
}

impl Default for FaultyTicketer {
    fn default() -> Self {
        Self::new()
    }
}

impl ProducesTickets for FaultyTicketer {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.lifetime
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        if let Mode::Same { newest, session } = &self.mode {
            let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
            if *newest || session.is_none() {
                *session = Some(plain.to_vec());
            }
            return Some(SAME.to_vec());
        }
        let encrypted = self.inner.encrypt(plain)?;
        let mut ticket = u32::try_from(encrypted.len()).ok()?.to_be_bytes().to_vec();
        ticket.extend(encrypted);
        ticket.resize(self.size.max(ticket.len()), 0);
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        match &self.mode {
            Mode::Declining => None,
            Mode::Same { session, .. } => session
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
                .filter(|_| ticket == SAME),
            Mode::Correct => {
                let (length, rest) = ticket.split_first_chunk::<LENGTH>()?;
                let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
                self.inner.decrypt(rest.get(..length)?)
            }
        }
    }
}

impl fmt::Debug for FaultyTicketer {
    /// Does not show a session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyTicketer")
            .field("size", &self.size)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_have_their_size_and_are_decrypted() {
        let tickets = FaultyTicketer::new().with_size(60_000);
        let ticket = tickets.encrypt(b"session").unwrap();
        assert_eq!(ticket.len(), 60_000);
        assert_eq!(tickets.decrypt(&ticket).unwrap(), b"session");
        assert_eq!(tickets.decrypt(&ticket[1..]), None);
        let declining = tickets.declining();
        assert_eq!(declining.decrypt(&ticket), None);
    }

    #[test]
    fn equal_tickets_stand_for_one_session() {
        for (tickets, session) in [
            (FaultyTicketer::new().same_ticket_for_first(), b"1"),
            (FaultyTicketer::new().same_ticket_for_newest(), b"2"),
        ] {
            let first = tickets.encrypt(b"1").unwrap();
            assert_eq!(tickets.encrypt(b"2").unwrap(), first);
            assert_eq!(tickets.decrypt(&first).unwrap(), session);
            assert_eq!(tickets.decrypt(b"another"), None);
        }
    }
}
