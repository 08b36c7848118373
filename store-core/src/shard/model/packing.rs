//! Sessions of the model that are away to be packed.

use super::row::Session;
use super::{Model, Tracked};
use crate::{Storable, Timestamp, Usage};

impl Model {
    /// The session that has to be packed, by its number.
    pub(in crate::shard) fn next_to_pack(&mut self) -> Option<u64> {
        while self.unpacked.len() > self.limits.unpacked_sessions {
            let id = self.unpacked.pop_front()?;
            for row in self.rows() {
                let here = |session: &Session| session.id == id && session.away.is_none();
                let Some(index) = row.sessions.iter().position(here) else {
                    continue;
                };
                let number = row.sessions[index].number;
                if row.sessions[index].usage == Usage::SingleUse {
                    row.sessions[index].away = Some(0);
                    let shared = row.sessions[index].shared;
                    let alone = shared.filter(|shared| !row.shares(shared.id));
                    row.sessions[index].away = Some(alone.map_or(0, |shared| shared.bytes));
                }
                return Some(number);
            }
        }
        None
    }

    /// Puts another form in the place of the session `number`, and says whether it was there.
    pub(in crate::shard) fn change_form(
        &mut self,
        number: u64,
        form: &Tracked,
        weight: usize,
        now: Timestamp,
    ) -> bool {
        let (limits, sizes) = (self.limits.clone(), self.sizes);
        let mut stats = self.stats;
        let mut found = None;
        for row in self.rows() {
            let session = row
                .sessions
                .iter_mut()
                .find(|session| session.number == number);
            if let Some(session) = session {
                session.away = None;
                session.number = form.number;
                session.weight = weight;
                session.shared = form.shared_part();
                row.keep_within(&limits, &sizes, None, now, &mut stats);
                found = Some((row.name, row.sessions.is_empty()));
                break;
            }
        }
        let Some((name, empty)) = found else {
            return false;
        };
        self.stats = stats;
        if empty {
            self.visit(name, false, |_, _| ());
        }
        self.make_room(0, 0, now);
        true
    }

    /// Notes that a session counts as new again.
    pub(in crate::shard) fn renew(&mut self, id: u64) {
        self.unpacked.push_back(id);
    }
}
