//! Sessions that leave memory, and come back.

use std::sync::Arc;

use super::{After, At, Shard};
use crate::held::{Dropped, Held, Losses};
use crate::server::Server;
use crate::{Entry, EntryId, Generation, Refused, Storable, Timestamp};

impl<S: Storable> Shard<S> {
    /// Puts a session that had left memory; it is not new.
    pub(crate) fn restore(
        &mut self,
        at: At<'_>,
        entry: Entry<S>,
        begun: Generation,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Result<EntryId, Refused> {
        let put = self.put(at, entry, begun, now, dropped);
        if put.is_ok() {
            self.stats.stored -= 1;
            self.stats.returned += 1;
        }
        put
    }

    /// Takes the oldest single-use sessions of a server out, all but `keep`, to be kept elsewhere.
    pub(crate) fn surplus(
        &mut self,
        at: At<'_>,
        keep: usize,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Vec<Held<S>> {
        let mut losses = Losses::default();
        let surplus = |server: &mut Server<S>| server.surplus(keep, now, dropped, &mut losses);
        let surplus = self.visit(at, After::Leaves, surplus);
        let surplus = surplus.unwrap_or_default();
        self.count(losses);
        self.stats.left += surplus.len() as u64;
        surplus
    }

    /// The reusable session of a server, neither offered nor counted.
    pub(crate) fn peek_reusable(&self, at: At<'_>, now: Timestamp) -> Option<Arc<Held<S>>> {
        self.peek(at)?.peek_reusable(now)
    }

    /// Single-use sessions of a server that are valid, and whether it has a valid reusable one.
    pub(crate) fn available(&self, at: At<'_>, now: Timestamp) -> (usize, bool) {
        self.peek(at).map_or((0, false), |server| {
            (server.available(now), server.peek_reusable(now).is_some())
        })
    }
}
