//! The configuration of a connector, for a file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store_core::{Limits, ReuseTickets};
use zeroize::Zeroizing;

use crate::builder::ConnectorBuilder;
use crate::connector::Connector;
#[cfg(feature = "redis-tls")]
use crate::settings::read_certificates;
use crate::settings::{STORE_TIMEOUT, TIMEOUT};
use crate::{Backend, ClientCredential, CredentialFiles, Error, NamedGroup, Protocol};
#[cfg(feature = "shared")]
use crate::{settings::StoreSettings, store};

/// The settings of a connector that an operator chooses, in TOML, JSON or any other format of
/// serde. Settings that belong to the program, such as [`clock`](ConnectorBuilder::clock), are on
/// the builder only.
///
/// A missing key has its default, and an unknown one is an error, here and in `limits`. Durations are
/// texts such as `"30s"` or `"24h"`, or numbers of seconds; sizes are texts such as `"16MiB"`, or
/// numbers of bytes. Paths are relative to the process's current directory, not to the file that
/// names them.
///
/// A format's error may not name the key; [`serde_path_to_error`] adds it:
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
/// `Debug`, but serde writes it: keep a serialized configuration secret. An error of the crate
/// `toml` contains the text that was read: its `Display` shows the invalid line, its `Debug` the
/// whole text. Its `message()`, and the errors of `serde_json`, do not show the text.
///
/// [`serde_path_to_error`]: https://docs.rs/serde_path_to_error
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches")]
#[non_exhaustive]
pub struct Config {
    /// PEM files of root certificates to trust. Empty: Mozilla's roots.
    pub roots: Vec<PathBuf>,
    /// A PEM file with the client's certificate, then intermediates; needs
    /// [`client_key`](Self::client_key).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<PathBuf>,
    /// A PEM file with the private key of the client's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key: Option<PathBuf>,
    /// Reads the client's certificate and key again when their files change
    /// ([`CredentialFiles`]). Default: false.
    pub reload_client_certificate: bool,
    /// Application protocols to offer (ALPN), the preferred one first.
    pub alpn: Vec<String>,
    /// Versions of TLS to allow: `"1.2"`, `"1.3"`. Default: both.
    pub protocols: Vec<Protocol>,
    /// Key-exchange groups to offer, the preferred one first: `"X25519MLKEM768"`, `"x25519"`
    /// ([`ConnectorBuilder::groups`]). Empty: those of the TLS library.
    pub groups: Vec<NamedGroup>,
    /// The limits of the store.
    pub limits: Limits,
    /// The name of the security domain ([`ConnectorBuilder::domain`]). Default: empty.
    pub domain: String,
    /// Hosts, and hosts with a port, whose sessions are neither stored nor offered
    /// ([`ConnectorBuilder::never_resume`]).
    pub never_resume: Vec<String>,
    /// Stores and offers sessions with a client certificate, too
    /// ([`ConnectorBuilder::resume_with_client_certificate`]). Default: true.
    pub resume_with_client_certificate: bool,
    /// The timeout of a connection, handshake included. Default 30 s; not zero.
    #[serde(with = "store_core::settings::whole_milliseconds")]
    pub timeout: Duration,
    /// Allows early data ([`ConnectorBuilder::early_data`]). Default: false.
    pub early_data: bool,
    /// Makes a handshake again, without a session, if it failed with one
    /// ([`ConnectorBuilder::retry_failed_resumption`]). Default: true.
    pub retry_failed_resumption: bool,
    /// Whether TLS 1.3 tickets are offered more than once, `"never"` or `"until-renewed"`
    /// ([`ConnectorBuilder::reuse_tickets`]). Default: never.
    pub reuse_tickets: ReuseTickets,
    /// The address of a tier to store sessions in, as in `ConnectorBuilder::store`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreUrl>,
    /// The file with the keys that seal sessions in the tier, as in `ConnectorBuilder::store_keys`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_keys: Option<PathBuf>,
    /// PEM files of root certificates to trust for the TLS connection to Redis. Empty: Mozilla's.
    pub store_roots: Vec<PathBuf>,
    /// How long a connection waits at most for a session that is being fetched from the tier.
    /// Default 5 ms. A value above `timeout` is an error; above half of it, half of it applies.
    #[serde(with = "store_core::settings::whole_milliseconds")]
    pub store_timeout: Duration,
}

/// The address of a store, such as `redis://:PASSWORD@HOST`. Wiped when dropped and hidden by
/// `Debug`; serde writes it.
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

impl Default for Config {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            client_certificate: None,
            client_key: None,
            reload_client_certificate: false,
            alpn: Vec::new(),
            protocols: vec![Protocol::Tls12, Protocol::Tls13],
            groups: Vec::new(),
            limits: Limits::default(),
            domain: String::new(),
            never_resume: Vec::new(),
            resume_with_client_certificate: true,
            timeout: TIMEOUT,
            early_data: false,
            retry_failed_resumption: true,
            reuse_tickets: ReuseTickets::default(),
            store: None,
            store_keys: None,
            store_roots: Vec::new(),
            store_timeout: STORE_TIMEOUT,
        }
    }
}

impl<B: Backend> Connector<B> {
    /// Builds a connector with these settings and no others.
    pub fn from_config(config: &Config) -> Result<Self, Error> {
        Self::builder().config(config)?.build()
    }
}

impl<B: Backend> ConnectorBuilder<B> {
    /// Sets all settings of a configuration, replacing earlier ones; later calls of the builder
    /// replace them again. Reads the client's certificate and key and the roots of the store;
    /// `build` reads the other roots and checks the rest.
    ///
    /// It is an error if `store` names a tier but the backend's sessions cannot be shared or no
    /// tier is compiled in, or if `store_keys`, `store_roots` or `store_timeout` is set without
    /// `store`. Every backend accepts the store `"memory:"`.
    pub fn config(mut self, config: &Config) -> Result<Self, Error> {
        let Config {
            roots,
            client_certificate,
            client_key,
            reload_client_certificate,
            alpn,
            protocols,
            groups,
            limits,
            domain,
            never_resume,
            resume_with_client_certificate,
            timeout,
            early_data,
            retry_failed_resumption,
            reuse_tickets,
            store,
            store_keys,
            store_roots,
            store_timeout,
        } = config;
        self.settings.own_roots = !roots.is_empty();
        self.settings.roots.clear();
        self.settings.root_files.clone_from(roots);
        (self.settings.client, self.settings.client_source) = (None, None);
        match (client_certificate, client_key) {
            (None, None) if *reload_client_certificate => {
                return Err(Error::config(
                    "reload_client_certificate is for a client certificate: give client_certificate \
                     and client_key, or leave it out",
                ));
            }
            (None, None) => {}
            (Some(chain), Some(key)) if *reload_client_certificate => {
                self = self.client_credentials(CredentialFiles::open(chain, key)?);
            }
            (Some(chain), Some(key)) => {
                let credential = ClientCredential::from_pem_files(chain, key)?;
                self.settings.client = Some(Arc::new(credential));
            }
            _ => {
                return Err(Error::config(
                    "client_certificate and client_key belong together: give both or none",
                ));
            }
        }
        self.settings.never_resume.clear();
        let alpn = alpn.iter().map(|name| name.clone().into_bytes());
        let builder = self
            .alpn(alpn)
            .protocols(protocols.iter().copied())
            .groups(groups.iter().copied())
            .limits(limits.clone())
            .domain(domain)
            .never_resume(never_resume)
            .resume_with_client_certificate(*resume_with_client_certificate)
            .timeout(*timeout)
            .early_data(*early_data)
            .retry_failed_resumption(*retry_failed_resumption)
            .reuse_tickets(*reuse_tickets);
        if timeout.is_zero() {
            return Err(Error::config(
                "timeout is 0, so nothing could connect: raise it",
            ));
        }
        let Some(StoreUrl(store)) = store else {
            if store_keys.is_some() || !store_roots.is_empty() || *store_timeout != STORE_TIMEOUT {
                return Err(Error::config(
                    "store_keys, store_roots and store_timeout are for a store: give store, or leave \
                     them out",
                ));
            }
            return builder.store_settings("memory:", None, &[], STORE_TIMEOUT);
        };
        if store_timeout > timeout {
            return Err(Error::config(format_args!(
                "store_timeout ({store_timeout:?}) is above timeout ({timeout:?}): lower the one or \
                 raise the other"
            )));
        }
        builder.store_settings(store, store_keys.as_deref(), store_roots, *store_timeout)
    }

    #[cfg(feature = "shared")]
    fn store_settings(
        mut self,
        url: &str,
        keys: Option<&Path>,
        root_files: &[PathBuf],
        timeout: Duration,
    ) -> Result<Self, Error> {
        self.open = match B::open_shared() {
            _ if url == "memory:" => store::in_memory::<B::Session>,
            Some(open) => open,
            None => {
                return Err(Error::config(
                    "sessions of rustls 0.23 cannot leave the memory of their process: leave out \
                     store, or use another backend",
                ));
            }
        };
        #[cfg(not(feature = "redis-tls"))]
        if !root_files.is_empty() {
            return Err(Error::config(
                "store_roots needs tls-resume built with the feature redis-tls: leave it out, or \
                 build it so",
            ));
        }
        #[cfg(feature = "redis-tls")]
        let mut roots = Vec::new();
        #[cfg(feature = "redis-tls")]
        for path in root_files {
            roots.append(&mut read_certificates(path)?);
        }
        self.settings.store = StoreSettings {
            url: Zeroizing::new(url.to_owned()),
            keys: keys.map(Path::to_owned),
            #[cfg(feature = "redis-tls")]
            roots,
            timeout,
        };
        Ok(self)
    }

    #[cfg(not(feature = "shared"))]
    fn store_settings(
        self,
        url: &str,
        _: Option<&Path>,
        _: &[PathBuf],
        _: Duration,
    ) -> Result<Self, Error> {
        if url == "memory:" {
            return Ok(self);
        }
        Err(Error::config(
            "a store with a tier needs tls-resume built with the feature lmdb or redis: leave out \
             store, or build it so",
        ))
    }
}
