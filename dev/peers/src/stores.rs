//! One store a file, and the queue that several of them keep for a server.

#![expect(missing_debug_implementations, reason = "what they hold is secret")]

mod hyper_openssl;
mod lru;
mod moka;
mod of_rustls;
mod queue;
mod quick_cache;
mod rustls_pattern;
mod tls_resume;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::hyper_openssl::HyperOpenssl;
pub use self::lru::Lru;
pub use self::moka::Moka;
pub use self::of_rustls::{OfRustls, RustlsMemory};
pub use self::quick_cache::QuickCache;
pub use self::rustls_pattern::RustlsPattern;
pub use self::tls_resume::TlsResume;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
