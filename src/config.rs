//! What a connector is told by a file.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pki_types::PrivateKeyDer;
use pki_types::pem::{self, PemObject};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store_core::Limits;
use zeroize::Zeroizing;

use crate::builder::ConnectorBuilder;
use crate::connector::Connector;
use crate::settings::{LONGEST_FILE, TIMEOUT, read_certificates};
use crate::{Backend, Error, ErrorKind, Protocol};

/// The settings of a connector as an operator writes them: TOML, JSON, or whatever else serde
/// reads. What code decides, such as [`clock`](ConnectorBuilder::clock), is the builder's.
///
/// A missing key has its default and an unknown one is an error, here and in `limits`. Durations are
/// texts such as `"30s"` or `"24h"`, or numbers of seconds; sizes are texts such as `"16MiB"`, or
/// numbers of bytes. Paths are relative to where the process runs, not to the file that names them.
///
/// An error of a format need not name the key; [`serde_path_to_error`] does:
///
/// ```
/// # #[cfg(feature = "rustls")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tls_resume::{Config, rustls::Connector};
///
/// fn read(text: &str) -> Result<Config, String> {
///     let toml = toml::Deserializer::parse(text).map_err(|error| error.message().to_owned())?;
///     serde_path_to_error::deserialize(toml)
///         .map_err(|error| format!("{}: {}", error.path(), error.inner().message()))
/// }
///
/// let config = read(
///     r#"
///     alpn = ["h2", "http/1.1"]
///     never_resume = ["pinned.example"]
///     [limits]
///     servers = 100
///     total_bytes = "16MiB"
///     total_age = "24h"
/// "#,
/// )?;
/// let connector = Connector::from_config(&config)?;
/// # let _ = connector;
///
/// let error = read("limits.total_age = 'soon'").unwrap_err();
/// assert!(error.starts_with("limits.total_age: "));
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
/// The address of a `store` can contain a password. It is wiped when dropped and left out of
/// `Debug`, but serde writes it: look after a serialized configuration. An error of the crate `toml`
/// contains the text that was read: `Display` shows the invalid line, `Debug` all of it. Its
/// `message()` and the errors of `serde_json` are one line without that text.
///
/// [`serde_path_to_error`]: https://docs.rs/serde_path_to_error
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// PEM files of root certificates to trust. None: Mozilla's roots.
    pub roots: Vec<PathBuf>,
    /// A PEM file with the certificate that the client proves itself with, then intermediates;
    /// [`client_key`](Self::client_key) belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<PathBuf>,
    /// A PEM file with its private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key: Option<PathBuf>,
    /// Application protocols to offer (ALPN), the preferred one first.
    pub alpn: Vec<String>,
    /// Versions of TLS to allow: `"1.2"`, `"1.3"`. Default: both.
    pub protocols: Vec<Protocol>,
    /// What the store may hold, and for how long.
    pub limits: Limits,
    /// The name of the security domain.
    pub domain: String,
    /// Hosts never to resume with.
    pub never_resume: Vec<String>,
    /// Bounds a connection until its handshake is done. Default 30 s; not zero.
    #[serde(with = "store_core::settings::whole_milliseconds")]
    pub timeout: Duration,
    /// Allows early data ([`ConnectorBuilder::early_data`]). Default: no.
    pub early_data: bool,
    /// Where sessions are kept beyond memory, as `ConnectorBuilder::store` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreUrl>,
    /// The file with the keys that sessions are sealed under there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_keys: Option<PathBuf>,
    /// PEM files of root certificates to trust where the store is reached over TLS. None: Mozilla's.
    pub store_roots: Vec<PathBuf>,
    /// How long a connection waits for a session that is on its way from there. Default 5 ms; at
    /// most `timeout`.
    #[serde(with = "store_core::settings::whole_milliseconds")]
    pub store_timeout: Duration,
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
