//! The compared stores, one per file, and the per-server queue that several of them use.

#![expect(missing_debug_implementations, reason = "sessions are secret")]

mod hyper_openssl;
mod lru;
mod moka;
mod queue;
mod quick_cache;
mod rustls_pattern;
mod rustls_store;
mod tls_resume;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::hyper_openssl::HyperOpenssl;
pub use self::lru::Lru;
pub use self::moka::Moka;
pub use self::quick_cache::QuickCache;
pub use self::rustls_pattern::RustlsPattern;
pub use self::rustls_store::{RustlsMemory, RustlsStore};
pub use self::tls_resume::TlsResume;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
