//! The standings of servers, told to other processes by notices: a server that fails when a session is
//! offered is known to each process before its first connection.

use std::time::Duration;

use store_core::tier::{Standing, TierAccess};
use store_core::{Portable, SessionKey, Usage};

use super::notices::STANDING;
use super::{Failed, Worker};
use crate::Record;
use crate::record::{millis, timestamp};

/// How long a notice lives: as long as a server is avoided at most. A failure that was nobody's fault is
/// forgotten then.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

impl<S: Portable> Worker<S> {
    /// Writes the standing of a server, or removes the notice if it is good. After a failure, each
    /// process learns it by itself.
    pub(super) fn write_standing(
        &mut self,
        key: &SessionKey,
        standing: Standing,
    ) -> Result<(), Failed> {
        let (server, now) = (self.ring.standing_id(key.as_key()), self.clock.now());
        let Some(facts) = encode(standing) else {
            return self.call(|tier| tier.remove(&server)).map_err(|_| Failed);
        };
        let notice = Record {
            key: key.clone(),
            format: STANDING,
            usage: Usage::Reusable,
            established: now,
            expires: now.after(LIFETIME),
            facts,
            session: Vec::new().into(),
            address: None,
            application_data: None,
        };
        let Some(sealed) = self.sealed(&notice, server) else {
            return Ok(());
        };
        self.put(&[sealed], now).map_err(|_| Failed)
    }

    /// Reads the standing of a server whose sessions are being fetched, unless it is known here.
    pub(super) fn read_standing(&mut self, key: &SessionKey) {
        if self.memory.knows(key) {
            return;
        }
        let id = self.ring.standing_id(key.as_key());
        // After a failure, this process learns it by itself.
        if let Ok(Some(Ok(notice))) = self.read_notice(&id, STANDING)
            && notice.key == *key
        {
            self.learn(&notice);
        }
    }

    /// Tells memory the standing of a server.
    pub(super) fn learn(&self, notice: &Record) {
        if let Some(standing) = decode(&notice.facts) {
            self.memory.learn(&notice.key, standing);
        }
    }
}

/// `None` for a good standing, of which there is no notice.
fn encode(standing: Standing) -> Option<Vec<u8>> {
    Some(match standing {
        Standing::Good => return None,
        Standing::Failed => vec![1],
        Standing::Doubtful => vec![2],
        Standing::Avoided {
            until,
            times,
            rested,
        } => {
            let until = millis(until).to_be_bytes();
            [[3, times, rested.into()].as_slice(), &until].concat()
        }
    })
}

fn decode(facts: &[u8]) -> Option<Standing> {
    Some(match *facts {
        [1] => Standing::Failed,
        [2] => Standing::Doubtful,
        [3, times, rested, ref until @ ..] => Standing::Avoided {
            until: timestamp(u64::from_be_bytes(until.try_into().ok()?)),
            times,
            rested: rested != 0,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_is_read_as_it_was_written() {
        let until = timestamp(1_234_567);
        for standing in [
            Standing::Failed,
            Standing::Doubtful,
            Standing::Avoided {
                until,
                times: 7,
                rested: true,
            },
        ] {
            let facts = encode(standing).expect("a notice");
            assert_eq!(decode(&facts), Some(standing));
            assert_eq!(decode(&facts[..facts.len() - 1]), None);
        }
        assert_eq!(encode(Standing::Good), None);
        assert_eq!(decode(&[4]), None);
    }
}
