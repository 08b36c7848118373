//! What may lie behind a store, and is told what happens in it.

use crate::{Generation, KeyRef, Usage};

/// A place behind a store that sessions can leave memory for, and come back from.
///
/// A store with something behind it works as without: it reads and writes memory only, and says
/// what happened. Whoever is told takes sessions out ([`SessionStore::surplus`]) and brings them
/// back ([`SessionStore::restore`]) in its own time, on its own thread.
///
/// # Contract
/// Every method is called by connections in their handshakes, without a lock on any session: it
/// returns at once, neither blocks nor panics, and does not call the store.
///
/// What is revoked comes with the generation that it began. They arrive in ascending order, so
/// whoever restores sessions as of the generation that it was told last restores nothing that has
/// been revoked.
///
/// [`SessionStore::surplus`]: crate::SessionStore::surplus
/// [`SessionStore::restore`]: crate::SessionStore::restore
pub trait StoreObserver: Send + Sync + 'static {
    /// A connection put a session of this server into memory.
    fn stored(&self, key: KeyRef<'_>, usage: Usage);

    /// A connection to this server found nothing.
    fn missed(&self, key: KeyRef<'_>);

    /// What there was of this server is not to be used any more, wherever it is.
    fn revoked(&self, key: KeyRef<'_>, now_is: Generation);

    /// The same for all servers.
    fn cleared(&self, now_is: Generation);
}
