//! Tickets of a rustls server with a lifetime of the lab's choosing.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::server::ProducesTickets;

/// Stamps each ticket with the time of its making and declines it when it is too old.
///
/// rustls's own ticketer announces 12 hours and looks at no ticket's age, only at the age of its
/// keys. A stamped ticket is eight bytes longer before it is sealed.
#[derive(Debug)]
pub(super) struct Expiring {
    ticketer: Arc<dyn ProducesTickets>,
    lifetime: Duration,
}

impl Expiring {
    pub(super) fn new(ticketer: Arc<dyn ProducesTickets>, lifetime: Duration) -> Self {
        Self { ticketer, lifetime }
    }
}

impl ProducesTickets for Expiring {
    fn enabled(&self) -> bool {
        self.ticketer.enabled()
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(self.lifetime.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let stamp = since_epoch()?.as_secs().to_be_bytes();
        self.ticketer.encrypt(&[&stamp, plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let stamped = self.ticketer.decrypt(cipher)?;
        let (stamp, plain) = stamped.split_first_chunk()?;
        let made = Duration::from_secs(u64::from_be_bytes(*stamp));
        let age = since_epoch()?.saturating_sub(made);
        (age.as_secs() <= self.lifetime.as_secs()).then(|| plain.to_vec())
    }
}

fn since_epoch() -> Option<Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok()
}
