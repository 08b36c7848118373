//! The ticketer of a rustls server: tickets with a lifetime, and the reason when one is declined.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::server::ProducesTickets;

use super::ticket_observer::{DeclineReason, TicketObserver};

/// Adds a lifetime to the tickets of another ticketer: a ticket begins with the time of its
/// creation, and is declined once its lifetime is over.
///
/// rustls's own ticketer announces 12 hours and checks the age of its keys only, not of tickets.
#[derive(Debug)]
pub(super) struct LifetimeTicketer {
    inner: Arc<dyn ProducesTickets>,
    lifetime: Option<Duration>,
}

impl LifetimeTicketer {
    /// `None` leaves the tickets as they are.
    pub(super) fn new(inner: Arc<dyn ProducesTickets>, lifetime: Option<Duration>) -> Self {
        Self { inner, lifetime }
    }

    fn try_decrypt(&self, ticket: &[u8]) -> Result<Vec<u8>, DeclineReason> {
        let decrypted = self.inner.decrypt(ticket);
        let decrypted = decrypted.ok_or(DeclineReason::UnknownKey)?;
        let Some(lifetime) = self.lifetime else {
            return Ok(decrypted);
        };
        let parts = decrypted.split_first_chunk();
        let (created, plain) = parts.ok_or(DeclineReason::UnknownKey)?;
        let created = Duration::from_secs(u64::from_be_bytes(*created));
        let now = since_epoch().ok_or(DeclineReason::Expired)?;
        if now.saturating_sub(created).as_secs() <= lifetime.as_secs() {
            Ok(plain.to_vec())
        } else {
            Err(DeclineReason::Expired)
        }
    }
}

impl ProducesTickets for LifetimeTicketer {
    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.lifetime.map_or_else(
            || self.inner.lifetime(),
            |lifetime| u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX),
        )
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        if self.lifetime.is_none() {
            return self.inner.encrypt(plain);
        }
        let created = since_epoch()?.as_secs().to_be_bytes();
        self.inner.encrypt(&[&created, plain].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.try_decrypt(ticket).ok()
    }
}

/// The ticketer of one observed connection.
#[derive(Debug)]
pub(super) struct ObservedTicketer {
    inner: Arc<LifetimeTicketer>,
    observer: Arc<TicketObserver>,
}

impl ObservedTicketer {
    pub(super) fn new(inner: Arc<LifetimeTicketer>, observer: Arc<TicketObserver>) -> Self {
        Self { inner, observer }
    }
}

impl ProducesTickets for ObservedTicketer {
    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.inner.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let ticket = self.inner.encrypt(plain)?;
        self.observer.made();
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let decrypted = if self.observer.must_decline() {
            Err(DeclineReason::Requested)
        } else {
            self.inner.try_decrypt(ticket)
        };
        self.observer.tried(decrypted.as_ref().err().copied());
        decrypted.ok()
    }
}

fn since_epoch() -> Option<Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok()
}
