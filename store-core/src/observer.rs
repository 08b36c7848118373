//! The interface between a store and a tier.

use crate::tier::Standing;
use crate::{Generation, KeyRef, SecurityDomain, Usage};

/// Receives the puts, misses and revocations of a store, so that a tier can keep sessions outside
/// its process.
///
/// A store with an observer still reads and writes memory only. The observer moves sessions on its
/// own thread: out of memory with [`TierAccess::surplus`], back with [`TierAccess::restore`].
///
/// # Contract
/// Connections call every method during their handshakes, with no lock on sessions held. A method
/// must return at once, and must not block, panic or call the store.
///
/// A revocation carries the generation that it started. Generations arrive in ascending order: an
/// observer that restores sessions as of the last generation it received restores no revoked
/// session.
///
/// [`TierAccess::surplus`]: crate::tier::TierAccess::surplus
/// [`TierAccess::restore`]: crate::tier::TierAccess::restore
pub trait StoreObserver: Send + Sync + 'static {
    /// A connection stored a session of this server in memory.
    fn stored(&self, key: KeyRef<'_>, usage: Usage);

    /// A connection to this server found no session.
    fn missed(&self, key: KeyRef<'_>);

    /// The standing of this server has changed, by the end of a handshake or because it was cleared. The
    /// last one told is the newest. By default, other processes are not told.
    fn standing(&self, key: KeyRef<'_>, standing: Standing) {
        let _ = (key, standing);
    }

    /// All sessions of this server from before `generation` were revoked: they must not be used any
    /// more, in no tier either.
    fn revoked(&self, key: KeyRef<'_>, generation: Generation);

    /// All sessions of this security domain from before `generation` were revoked, as by
    /// [`revoked`](Self::revoked).
    fn domain_cleared(&self, domain: &SecurityDomain, generation: Generation);

    /// All sessions of all servers from before `generation` were revoked.
    fn cleared(&self, generation: Generation);
}
