//! The tickets of a rustls server, with a lifetime of the lab's choosing and a reason when one is
//! declined.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::server::ProducesTickets;

use super::watch::{DeclineReason, Watch};

/// Tickets as rustls seals them; with a lifetime, each is stamped with the time of its making and
/// declined when it is too old.
///
/// rustls's own ticketer announces 12 hours and looks at no ticket's age, only at the age of its
/// keys. A stamped ticket is eight bytes longer before it is sealed.
#[derive(Debug)]
pub(super) struct Tickets {
    sealing: Arc<dyn ProducesTickets>,
    lifetime: Option<Duration>,
}

impl Tickets {
    pub(super) fn new(sealing: Arc<dyn ProducesTickets>, lifetime: Option<Duration>) -> Self {
        Self { sealing, lifetime }
    }

    fn open(&self, cipher: &[u8]) -> Result<Vec<u8>, DeclineReason> {
        let opened = self
            .sealing
            .decrypt(cipher)
            .ok_or(DeclineReason::UnknownKey)?;
        let Some(lifetime) = self.lifetime else {
            return Ok(opened);
        };
        let (stamp, plain) = opened
            .split_first_chunk()
            .ok_or(DeclineReason::UnknownKey)?;
        let made = Duration::from_secs(u64::from_be_bytes(*stamp));
        let age = since_epoch()
            .ok_or(DeclineReason::Expired)?
            .saturating_sub(made);
        if age.as_secs() <= lifetime.as_secs() {
            Ok(plain.to_vec())
        } else {
            Err(DeclineReason::Expired)
        }
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        self.sealing.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.lifetime.map_or_else(
            || self.sealing.lifetime(),
            |lifetime| u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX),
        )
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        if self.lifetime.is_none() {
            return self.sealing.encrypt(plain);
        }
        let stamp = since_epoch()?.as_secs().to_be_bytes();
        self.sealing.encrypt(&[&stamp, plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher).ok()
    }
}

/// The same tickets on one connection that is watched.
#[derive(Debug)]
pub(super) struct Watched {
    tickets: Arc<Tickets>,
    watch: Arc<Watch>,
}

impl Watched {
    pub(super) fn new(tickets: Arc<Tickets>, watch: Arc<Watch>) -> Self {
        Self { tickets, watch }
    }
}

impl ProducesTickets for Watched {
    fn enabled(&self) -> bool {
        self.tickets.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let sealed = self.tickets.encrypt(plain)?;
        self.watch.made();
        Some(sealed)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let opened = if self.watch.declines() {
            Err(DeclineReason::Requested)
        } else {
            self.tickets.open(cipher)
        };
        self.watch.opened(opened.as_ref().err().copied());
        opened.ok()
    }
}

fn since_epoch() -> Option<Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok()
}
