//! Whose process it is.

use std::sync::OnceLock;

use crate::sync::{AtomicU64, Ordering};

/// The process that the sessions of a store belong to.
///
/// Asking the system which process this is costs more than all else that a connection asks of the
/// store; a count of forks costs a look.
pub(super) struct Process {
    id: AtomicU64,
    made: Forks,
    // Since a process that was forked took the store over.
    taken_over: OnceLock<Forks>,
}

impl Process {
    /// This one.
    pub(super) fn this() -> Self {
        Self {
            id: AtomicU64::new(std::process::id().into()),
            made: Forks::now(),
            taken_over: OnceLock::new(),
        }
    }

    /// Whether it is still this one.
    #[inline]
    pub(super) fn is_this(&self) -> bool {
        let forks = self.taken_over.get().unwrap_or(&self.made);
        !forks.may_have_been() || self.is_this_by_id()
    }

    #[cold]
    fn is_this_by_id(&self) -> bool {
        self.id.load(Ordering::Acquire) == u64::from(std::process::id())
    }

    /// From now on it is this one.
    pub(super) fn take_over(&self) {
        self.id.store(std::process::id().into(), Ordering::Release);
        self.taken_over.get_or_init(Forks::now);
    }
}

/// How often this process and those before it were forked off, at some moment. Nothing where that
/// is not known.
struct Forks(#[cfg(unix)] Option<forkguard::atfork::Guard>);

impl Forks {
    #[cfg(unix)]
    fn now() -> Self {
        Self(forkguard::atfork::Guard::try_new().ok())
    }

    #[cfg(unix)]
    #[inline]
    fn may_have_been(&self) -> bool {
        // A copy, since the one that noticed a fork has forgotten it.
        self.0.clone().is_none_or(|mut forks| forks.detected_fork())
    }

    #[cfg(not(unix))]
    fn now() -> Self {
        Self()
    }

    #[cfg(not(unix))]
    fn may_have_been(&self) -> bool {
        false
    }
}
