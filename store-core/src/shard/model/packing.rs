//! Sessions of the model that are being packed.

use super::Model;
use super::server::Session;
use crate::shard::tracked::Tracked;
use crate::{Storable, Timestamp, Usage};

impl Model {
    /// The number of the next session to pack.
    pub(in crate::shard) fn next_to_pack(&mut self) -> Option<u64> {
        while self.unpacked.len() > self.limits.unpacked_sessions {
            let id = self.unpacked.pop_front()?;
            for server in self.servers() {
                let stored = |session: &Session| session.id == id && session.packing.is_none();
                let Some(index) = server.sessions.iter().position(stored) else {
                    continue;
                };
                let number = server.sessions[index].number;
                if server.sessions[index].usage == Usage::SingleUse {
                    server.sessions[index].packing = Some(0);
                    let shared = server.sessions[index].shared;
                    let unshared = shared.filter(|shared| !server.shares(shared.id));
                    server.sessions[index].packing =
                        Some(unshared.map_or(0, |shared| shared.bytes));
                }
                return Some(number);
            }
        }
        None
    }

    /// Replaces the session `number` by another form; `false` if it is not there.
    pub(in crate::shard) fn replace_form(
        &mut self,
        number: u64,
        form: &Tracked,
        weight: usize,
        now: Timestamp,
    ) -> bool {
        let (limits, sizes) = (self.limits.clone(), self.sizes);
        let mut stats = self.stats;
        let mut found = None;
        for server in self.servers() {
            let session = server
                .sessions
                .iter_mut()
                .find(|session| session.number == number);
            if let Some(session) = session {
                session.packing = None;
                session.number = form.number;
                session.weight = weight;
                session.shared = form.shared_part();
                server.drop_excess(&limits, &sizes, None, now, &mut stats);
                found = Some((server.name, server.sessions.is_empty()));
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

    /// Counts a session as new.
    pub(in crate::shard) fn renew(&mut self, id: u64) {
        self.unpacked.push_back(id);
    }
}
