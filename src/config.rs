//! What a connector is told by a file.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pki_types::PrivateKeyDer;
use pki_types::pem::{self, PemObject};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store_core::{Limits, written};
use zeroize::Zeroizing;

use crate::builder::ConnectorBuilder;
use crate::connector::Connector;
use crate::settings::{LONGEST_FILE, TIMEOUT, read_certificates};
use crate::{Backend, Error, ErrorKind, Protocol};

/// The settings of a connector as an operator writes them: TOML, JSON, or whatever else serde
/// reads. What code decides, such as [`clock`](ConnectorBuilder::clock), is the builder's.
///
/// A missing key has its default and an unknown one is an error, here and in `limits`. Durations are
/// texts like `"30s"` or `"24h"`, sizes texts like `"16MiB"`. Paths are relative to where the process
/// runs, not to the file that names them.
///
/// ```
/// # #[cfg(feature = "rustls")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tls_resume::{Config, rustls::Connector};
///
/// let text = r#"
///     alpn = ["h2", "http/1.1"]
///     never_resume = ["pinned.example"]
///     [limits]
///     servers = 100
///     total_bytes = "16MiB"
///     total_age = "24h"
/// "#;
/// let config: Config = toml::from_str(text).map_err(|error| error.message().to_owned())?;
/// let connector = Connector::from_config(&config)?;
/// # let _ = connector;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "rustls"))]
/// # fn main() {}
/// ```
///
/// # Every key
/// With its default, in TOML:
///
/// ```toml
#[doc = include_str!("../docs/tls-resume.toml")]
/// ```
///
/// # Secrets
/// The address of a `store` may have a password in it. It is wiped when dropped and left out of
/// `Debug`, but written by serde: who serializes a configuration has to look after what comes out.
/// The text that it was read from is its reader's, and an error of the crate `toml` has all of it:
/// `Display` shows the line that is wrong, `Debug` everything. Its `message()` has neither, is one line
/// and names the key; so has, and is, what `serde_json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// PEM files of root certificates to trust. None: Mozilla's roots.
    #[serde(deserialize_with = "named::roots")]
    pub roots: Vec<PathBuf>,
    /// A PEM file with the certificate that the client proves itself with, then intermediates;
    /// [`client_key`](Self::client_key) belongs to it.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "named::client_certificate"
    )]
    pub client_certificate: Option<PathBuf>,
    /// A PEM file with its private key.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "named::client_key"
    )]
    pub client_key: Option<PathBuf>,
    /// Application protocols to offer (ALPN), the preferred one first.
    #[serde(deserialize_with = "named::alpn")]
    pub alpn: Vec<String>,
    /// Versions of TLS to allow: `"1.2"`, `"1.3"`. Default: both.
    #[serde(deserialize_with = "named::protocols")]
    pub protocols: Vec<Protocol>,
    /// What the store may hold, and for how long.
    #[serde(deserialize_with = "named::limits")]
    pub limits: Limits,
    /// The name of the security domain.
    #[serde(deserialize_with = "named::domain")]
    pub domain: String,
    /// Hosts never to resume with.
    #[serde(deserialize_with = "named::never_resume")]
    pub never_resume: Vec<String>,
    /// Bounds a connection until its handshake is done. Default 30 s; not zero.
    #[serde(
        serialize_with = "written::milliseconds::serialize",
        deserialize_with = "named::timeout"
    )]
    pub timeout: Duration,
    /// Allows early data ([`ConnectorBuilder::early_data`]). Default: no.
    #[serde(deserialize_with = "named::early_data")]
    pub early_data: bool,
    /// Where sessions are kept beyond memory, as `ConnectorBuilder::store` has it.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "named::store"
    )]
    pub store: Option<StoreUrl>,
    /// The file with the keys that sessions are sealed under there.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "named::store_keys"
    )]
    pub store_keys: Option<PathBuf>,
    /// PEM files of root certificates to trust where the store is reached over TLS. None: Mozilla's.
    #[serde(deserialize_with = "named::store_roots")]
    pub store_roots: Vec<PathBuf>,
    /// How long a connection waits for a session that is on its way from there. Default 5 ms; at
    /// most `timeout`.
    #[serde(
        serialize_with = "written::milliseconds::serialize",
        deserialize_with = "named::store_timeout"
    )]
    pub store_timeout: Duration,
}

/// For each key, how it is read with its name in the error, since not every format says where it
/// stands.
mod named {
    use std::path::PathBuf;
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer};
    use store_core::{Limits, written};

    use super::StoreUrl;
    use crate::Protocol;

    fn read<'de, D, T>(key: &str, from: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: Deserialize<'de>,
    {
        T::deserialize(from).map_err(|error| {
            // What is in other lines is where it stands.
            let error = error.to_string();
            let line = error.lines().next().unwrap_or_default();
            D::Error::custom(format_args!("{key}: {line}"))
        })
    }

    macro_rules! named {
        ($($with:path => $type:ty: $($key:ident),+;)+) => {
            $($(
                pub(super) fn $key<'de, D: Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
                    $with(stringify!($key), from)
                }
            )+)+
        };
    }

    named! {
        read => Vec<PathBuf>: roots, store_roots;
        read => Option<PathBuf>: client_certificate, client_key, store_keys;
        read => Vec<String>: alpn, never_resume;
        read => Vec<Protocol>: protocols;
        read => Limits: limits;
        read => String: domain;
        read => bool: early_data;
        read => Option<StoreUrl>: store;
        written::milliseconds::read => Duration: timeout, store_timeout;
    }
}

/// The address of a store, such as `redis://:PASSWORD@HOST`: wiped when dropped. `Debug` shows
/// nothing of it, serde writes all of it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(Zeroizing<String>);

impl From<&str> for StoreUrl {
    fn from(address: &str) -> Self {
        Self(address.to_owned().into())
    }
}

impl From<String> for StoreUrl {
    fn from(address: String) -> Self {
        Self(address.into())
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreUrl").finish_non_exhaustive()
    }
}

/// How long a connection waits for a session that is on its way, if nothing else is said.
pub(crate) const STORE_WAIT: Duration = Duration::from_millis(5);

impl Default for Config {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            client_certificate: None,
            client_key: None,
            alpn: Vec::new(),
            protocols: vec![Protocol::Tls12, Protocol::Tls13],
            limits: Limits::default(),
            domain: String::new(),
            never_resume: Vec::new(),
            timeout: TIMEOUT,
            early_data: false,
            store: None,
            store_keys: None,
            store_roots: Vec::new(),
            store_timeout: STORE_WAIT,
        }
    }
}

impl<B: Backend> Connector<B> {
    /// A connector with these settings and no others.
    pub fn from_config(config: &Config) -> Result<Self, Error> {
        Self::builder().config(config)?.build()
    }
}

impl<B: Backend> ConnectorBuilder<B> {
    /// Sets all that a configuration can say, in place of what was set before; what is set
    /// afterwards comes on top. Reads the client's certificate and key; `build` reads the roots and
    /// checks the rest.
    ///
    /// A `store` that this backend cannot have, or that is not compiled in, is an error, and so are
    /// settings of a store where there is none; `"memory:"` is one for every backend.
    pub fn config(mut self, config: &Config) -> Result<Self, Error> {
        let Config {
            roots,
            client_certificate,
            client_key,
            alpn,
            protocols,
            limits,
            domain,
            never_resume,
            timeout,
            early_data,
            store,
            store_keys,
            store_roots,
            store_timeout,
        } = config;
        self.settings.own_roots = !roots.is_empty();
        self.settings.roots.clear();
        self.settings.root_files.clone_from(roots);
        self.settings.client = None;
        match (client_certificate, client_key) {
            (None, None) => {}
            (Some(chain), Some(key)) => {
                self = self.client_certificate(read_certificates(chain)?, read_key(key)?);
            }
            _ => {
                return Err(refused(
                    "client_certificate and client_key belong together: give both or none",
                ));
            }
        }
        self.settings.never_resume.clear();
        let alpn = alpn.iter().map(|name| name.clone().into_bytes());
        let builder = self
            .alpn(alpn)
            .protocols(protocols.iter().copied())
            .limits(limits.clone())
            .domain(domain)
            .never_resume(never_resume)
            .timeout(*timeout)
            .early_data(*early_data);
        if timeout.is_zero() {
            return Err(refused("timeout is 0, so nothing could connect: raise it"));
        }
        let Some(StoreUrl(store)) = store else {
            if store_keys.is_some() || !store_roots.is_empty() || *store_timeout != STORE_WAIT {
                return Err(refused(
                    "store_keys, store_roots and store_timeout are for a store: give store, or leave \
                     them out",
                ));
            }
            return builder.placed("memory:", None, &[], STORE_WAIT);
        };
        if store_timeout > timeout {
            let message = format!(
                "store_timeout ({store_timeout:?}) is above timeout ({timeout:?}): lower the one or \
                 raise the other"
            );
            return Err(refused(message));
        }
        builder.placed(store, store_keys.as_deref(), store_roots, *store_timeout)
    }

    #[cfg(feature = "shared")]
    fn placed(
        mut self,
        store: &str,
        keys: Option<&Path>,
        roots: &[PathBuf],
        wait: Duration,
    ) -> Result<Self, Error> {
        self.open = match B::open_shared() {
            _ if store == "memory:" => crate::sharing::in_memory::<B::Session>,
            Some(open) => open,
            None => {
                return Err(refused(
                    "sessions of rustls 0.23 cannot leave the memory of their process: leave out \
                     store, or use another backend",
                ));
            }
        };
        self.settings.place.set(store, keys, roots, wait)?;
        Ok(self)
    }

    #[cfg(not(feature = "shared"))]
    fn placed(
        self,
        store: &str,
        _: Option<&Path>,
        _: &[PathBuf],
        _: Duration,
    ) -> Result<Self, Error> {
        if store == "memory:" {
            return Ok(self);
        }
        Err(refused(
            "a store beyond memory needs tls-resume built with the feature lmdb or redis: leave \
             out store, or build it so",
        ))
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let key = File::open(path)
        .map_err(pem::Error::Io)
        .and_then(|file| PrivateKeyDer::from_pem_reader(file.take(LONGEST_FILE)));
    key.map_err(|error| {
        let shown = path.display();
        let message = format!("{shown}: cannot read a private key ({error}): give a PEM file");
        refused(message).caused_by(error)
    })
}

fn refused(message: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Config, message)
}
