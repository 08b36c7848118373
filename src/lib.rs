// README's own definition of the chart comes later and loses: on docs.rs it lies elsewhere.
#![doc = "[chart]: https://raw.githubusercontent.com/tls-resume/tls-resume/main/docs/handshake.svg\n"]
#![cfg_attr(feature = "rustls", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "rustls"),
    doc = "TLS clients that resume: see the README, whose example is for rustls."
)]
#![cfg_attr(docsrs, feature(doc_cfg))] // says which feature an item needs
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(not(any(feature = "rustls", feature = "openssl", feature = "rustls-preview")))]
compile_error!(
    "tls-resume needs a backend: turn on the cargo feature `rustls` (the default), `openssl` or \
     `rustls-preview`"
);

#[cfg(all(feature = "shared", not(unix)))]
compile_error!("shared stores are for Unix: switch off the cargo features `lmdb` and `redis`");

mod backend;
mod builder;
mod config;
mod connector;
mod domain;
mod early;
mod error;
mod facts;
pub mod generic;
/// Which backend, which store, which limits; what to do in a proxy, a crawler, an MTA, a driver; and how
/// to come from other caches.
pub mod guide {
    #![doc = include_str!("../docs/guide.md")]
}
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "lettre")]
pub mod lettre;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "openssl")]
pub mod openssl;
#[cfg(feature = "tokio-postgres")]
pub mod postgres;
#[cfg(feature = "quinn")]
pub mod quinn;
#[cfg(feature = "rustls")]
pub mod rustls;
#[cfg(feature = "rustls-preview")]
pub mod rustls_preview;
mod settings;
#[cfg(feature = "shared")]
mod sharing;
pub mod starttls;
mod stream;
#[cfg(feature = "tokio")]
pub mod tokio;
mod transport;
#[cfg(feature = "ureq")]
pub mod ureq;

pub use backend::{Backend, Resumption};
pub use config::{Config, StoreUrl};
pub use error::{CertificateError, Error, ErrorKind};
pub use pki_types;
#[cfg(feature = "shared")]
pub use sharing::Shareable;
pub use store_core::{
    Clock, Limits, ManualClock, Protocol, SecurityDomain, ServerStats, Stats, SystemClock,
    Timestamp,
};
#[cfg(feature = "shared")]
pub use store_tiers::TierStats;
pub use transport::ReadTimeout;

// The short names mean the one backend there is. With two they would mean whichever a dependency
// switched on, so then there are none, and the compiler says so.
#[cfg(all(
    feature = "openssl",
    not(any(feature = "rustls", feature = "rustls-preview"))
))]
pub use self::openssl::{Connector, ConnectorBuilder, Stream};
#[cfg(all(
    feature = "rustls",
    not(any(feature = "openssl", feature = "rustls-preview"))
))]
pub use self::rustls::{Connector, ConnectorBuilder, Stream};
#[cfg(all(
    feature = "rustls-preview",
    not(any(feature = "rustls", feature = "openssl"))
))]
pub use self::rustls_preview::{Connector, ConnectorBuilder, Stream};
