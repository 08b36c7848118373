//! Tickets that no sensible server sends, by a real rustls server.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;

/// How many bytes say how long the sealed part of a ticket is.
const LENGTH: usize = 4;
/// What a ticket is that is the same each time.
const SAME: [u8; 64] = [0x5a; 64];
/// Announced where nothing else is said: a day.
const LIFETIME: u32 = 86_400;

/// Makes the tickets of a rustls server: for [`RustlsOnly::ticketer`](crate::server::RustlsOnly).
///
/// Unlike other servers' tickets these never grow too old for their server, so that a client that
/// offers an expired one is found out.
pub struct FaultyTicketer {
    sealing: Arc<dyn ProducesTickets>,
    size: usize,
    lifetime: u32,
    content: Content,
}

/// What the tickets are and whether they are good for anything.
enum Content {
    Sealed,
    Refused,
    /// Always the same bytes; they mean the first or the newest session that was put into one.
    Same {
        newest: bool,
        session: Mutex<Option<Vec<u8>>>,
    },
}

impl FaultyTicketer {
    /// Honest tickets that live for a day.
    ///
    /// # Panics
    ///
    /// Panics if the system has no random bytes to make keys from.
    pub fn new() -> Self {
        Self {
            sealing: Ticketer::new().expect("the system has random bytes for ticket keys"),
            size: 0,
            lifetime: LIFETIME,
            content: Content::Sealed,
        }
    }

    /// Fills each ticket up to `size` bytes; 65,535 fit into the message.
    #[must_use]
    pub fn with_size(self, size: usize) -> Self {
        Self { size, ..self }
    }

    /// Announces a lifetime, also one that the protocol does not allow.
    #[must_use]
    pub fn with_lifetime(self, seconds: u32) -> Self {
        Self {
            lifetime: seconds,
            ..self
        }
    }

    /// Declines every ticket that comes back.
    #[must_use]
    pub fn declining(self) -> Self {
        Self {
            content: Content::Refused,
            ..self
        }
    }

    /// Sends the same bytes as a ticket each time, which mean the newest session of all.
    #[must_use]
    pub fn same_ticket_for_newest(self) -> Self {
        self.same(true)
    }

    /// Sends the same bytes as a ticket each time, which mean the first session of all: whatever
    /// is resumed with a later ticket breaks, since the two ends have different secrets.
    #[must_use]
    pub fn same_ticket_for_first(self) -> Self {
        self.same(false)
    }

    fn same(self, newest: bool) -> Self {
        let session = Mutex::default();
        Self {
            content: Content::Same { newest, session },
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
        if let Content::Same { newest, session } = &self.content {
            let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
            if *newest || session.is_none() {
                *session = Some(plain.to_vec());
            }
            return Some(SAME.to_vec());
        }
        let sealed = self.sealing.encrypt(plain)?;
        let mut ticket = u32::try_from(sealed.len()).ok()?.to_be_bytes().to_vec();
        ticket.extend(sealed);
        ticket.resize(self.size.max(ticket.len()), 0);
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        match &self.content {
            Content::Refused => None,
            Content::Same { session, .. } => session
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
                .filter(|_| ticket == SAME),
            Content::Sealed => {
                let (length, rest) = ticket.split_first_chunk::<LENGTH>()?;
                let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
                self.sealing.decrypt(rest.get(..length)?)
            }
        }
    }
}

impl fmt::Debug for FaultyTicketer {
    /// Shows what is sent, never a session.
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
    fn tickets_have_their_size_and_open() {
        let tickets = FaultyTicketer::new().with_size(60_000);
        let ticket = tickets.encrypt(b"session").unwrap();
        assert_eq!(ticket.len(), 60_000);
        assert_eq!(tickets.decrypt(&ticket).unwrap(), b"session");
        assert_eq!(tickets.decrypt(&ticket[1..]), None);
        let refusing = tickets.declining();
        assert_eq!(refusing.decrypt(&ticket), None);
    }

    #[test]
    fn equal_tickets_mean_one_session() {
        for (tickets, meant) in [
            (FaultyTicketer::new().same_ticket_for_first(), b"1"),
            (FaultyTicketer::new().same_ticket_for_newest(), b"2"),
        ] {
            let first = tickets.encrypt(b"1").unwrap();
            assert_eq!(tickets.encrypt(b"2").unwrap(), first);
            assert_eq!(tickets.decrypt(&first).unwrap(), meant);
            assert_eq!(tickets.decrypt(b"another"), None);
        }
    }
}
