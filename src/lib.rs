// The first definition of a link is used. README defines relative paths, which docs.rs does not
// have.
#![doc = "[chart]: https://raw.githubusercontent.com/tls-resume/tls-resume/main/docs/handshake.svg\n"]
#![doc = "[watch]: https://raw.githubusercontent.com/tls-resume/tls-resume/main/docs/pictures/watch.svg\n"]
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
compile_error!("shared stores need Unix: switch off the cargo features `lmdb` and `redis`");

mod backend;
mod builder;
mod config;
mod connect_options;
mod connection_info;
mod connector;
mod credential;
#[cfg(feature = "tokio")]
mod deadline;
mod domain;
mod early;
mod error;
mod first_bytes;
#[cfg(feature = "futures")]
pub mod futures;
pub mod generic;
/// The choice of backend, store and limits, and a page for each task, with a whole program.
///
/// The pages' links lead to the repository. Their programs are those of its folder `examples`.
#[cfg(feature = "rustls")] // of some examples
pub mod guide {
    #![doc = include_str!("../docs/guide.md")]

    /// A server that fails when a session is offered.
    pub mod broken_servers {
        #![doc = include_str!("../docs/guide/broken-servers.md")]
    }
    /// Client certificates that rotate.
    pub mod certificates {
        #![doc = include_str!("../docs/guide/certificates.md")]
    }
    /// A crawler.
    pub mod crawler {
        #![doc = include_str!("../docs/guide/crawler.md")]
    }
    /// Data connections of FTP over TLS.
    pub mod ftps {
        #![doc = include_str!("../docs/guide/ftps.md")]
    }
    /// Mail, delivered by many processes.
    pub mod mail {
        #![doc = include_str!("../docs/guide/mail.md")]
    }
    /// From rustls's and hyper-openssl's caches to this store.
    pub mod moving {
        #![doc = include_str!("../docs/guide/moving.md")]
    }
    /// Sessions of tenants and identities that must not be linked.
    pub mod partitions {
        #![doc = include_str!("../docs/guide/partitions.md")]
    }
    /// reqwest, and other clients that take a configuration of rustls.
    pub mod reqwest {
        #![doc = include_str!("../docs/guide/reqwest.md")]
    }
}
mod host;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "lettre")]
pub mod lettre;
#[cfg(feature = "metrics")]
pub mod metrics;
mod named_group;
mod never_resume;
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
pub mod starttls;
mod store;
mod stream;
#[cfg(feature = "tokio")]
pub mod tokio;
mod transport;
#[cfg(feature = "ureq")]
pub mod ureq;

pub use backend::Backend;
#[cfg(feature = "shared")]
pub use backend::Shareable;
pub use config::{Config, StoreUrl};
pub use connect_options::ConnectOptions;
pub use connection_info::Resumption;
pub use credential::{ClientCredential, CredentialFiles, CredentialSource, RotatingCredential};
pub use error::{Alert, CertificateError, Error, ErrorKind};
pub use named_group::{NamedGroup, UnknownGroup};
pub use pki_types;
pub use store_core::tier::Available;
pub use store_core::{
    ApplicationData, ApplicationDataError, Clock, Limits, ManualClock, Outlook, Protocol,
    ReuseTickets, SecurityDomain, ServerStats, Stats, SystemClock, Timestamp,
};
#[cfg(feature = "shared")]
pub use store_tiers::TierStats;
pub use transport::ReadTimeout;

// Short names, only with exactly one backend: otherwise a dependency that enables another backend
// would change their meaning.
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
