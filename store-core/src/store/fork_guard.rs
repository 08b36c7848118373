//! Detects that the process was forked.

use std::sync::OnceLock;

use crate::sync::{AtomicU64, Ordering};

/// The process that owns the sessions of a store.
///
/// A system call for the process id costs more than all other work of the store for a connection,
/// so the id is read only after a count of forks has changed.
pub(super) struct ForkGuard {
    owner: AtomicU64,
    // The count when the guard was created.
    created: Forks,
    // The count when a forked child became the owner.
    taken_over: OnceLock<Forks>,
}

impl ForkGuard {
    /// A guard whose owner is this process.
    pub(super) fn new() -> Self {
        Self {
            owner: AtomicU64::new(std::process::id().into()),
            created: Forks::now(),
            taken_over: OnceLock::new(),
        }
    }

    /// Whether this process is the owner.
    #[inline]
    pub(super) fn is_owner(&self) -> bool {
        let forks = self.taken_over.get().unwrap_or(&self.created);
        !forks.may_have_forked() || self.is_owner_by_id()
    }

    #[cold]
    fn is_owner_by_id(&self) -> bool {
        self.owner.load(Ordering::Acquire) == u64::from(std::process::id())
    }

    /// Makes this process the owner.
    pub(super) fn take_over(&self) {
        self.owner
            .store(std::process::id().into(), Ordering::Release);
        self.taken_over.get_or_init(Forks::now);
    }
}

/// The count of forks at some moment; `None` where it is not known.
struct Forks(#[cfg(unix)] Option<forkguard::atfork::Guard>);

impl Forks {
    #[cfg(unix)]
    fn now() -> Self {
        Self(forkguard::atfork::Guard::try_new().ok())
    }

    #[cfg(unix)]
    #[inline]
    fn may_have_forked(&self) -> bool {
        // A copy, since a guard reports a fork once.
        self.0.clone().is_none_or(|mut forks| forks.detected_fork())
    }

    #[cfg(not(unix))]
    fn now() -> Self {
        Self()
    }

    #[cfg(not(unix))]
    fn may_have_forked(&self) -> bool {
        false
    }
}
