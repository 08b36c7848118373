//! Sessions beyond the memory of a connector: where they are kept, and under which keys.

mod places;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "redis-tls")]
use pki_types::CertificateDer;
use store_core::{KeyRef, Portable, SecurityDomain, SessionStore, Storable};
use store_tiers::{Fetch, KeyRing, SharedSettings, SharedStore, Tier, TierStats, key_file};
use zeroize::Zeroizing;

use crate::backend::sealed;
use crate::builder::ConnectorBuilder;
use crate::config::STORE_WAIT;
use crate::connector::Connector;
use crate::settings::Settings;
#[cfg(feature = "redis-tls")]
use crate::settings::read_certificates;
use crate::{Backend, Error, ErrorKind};

/// A backend whose sessions can leave the memory of their process: OpenSSL, and the preview of the
/// next rustls.
///
/// Not rustls 0.23, whose sessions are opaque: there it is the compiler that refuses `store`.
#[diagnostic::on_unimplemented(
    message = "sessions of `{Self}` cannot leave the memory of their process, so they cannot be shared",
    label = "rustls 0.23 shows its sessions to nobody",
    note = "use `tls_resume::openssl` (feature `openssl`), or `tls_resume::rustls_preview` (feature `rustls-preview`), the preview of the next rustls"
)]
pub trait Shareable: Backend + sealed::Backend<Session: Portable> {}

/// What a connector does with a shared store, whatever its sessions are.
pub trait Beyond: Send + Sync {
    fn fetch(&self, key: KeyRef<'_>) -> Fetch;
    fn load(&self, domain: &SecurityDomain, most: usize, deadline: Duration) -> bool;
    fn flush(&self, deadline: Duration) -> bool;
    fn stats(&self) -> TierStats;
}

impl<S: Portable> Beyond for SharedStore<S> {
    fn fetch(&self, key: KeyRef<'_>) -> Fetch {
        Self::fetch(self, key)
    }

    fn load(&self, domain: &SecurityDomain, most: usize, deadline: Duration) -> bool {
        Self::load(self, domain, most, deadline)
    }

    fn flush(&self, deadline: Duration) -> bool {
        Self::flush(self, deadline)
    }

    fn stats(&self) -> TierStats {
        self.tier_stats()
    }
}

/// Where sessions are kept, as the settings say it.
pub(crate) struct Place {
    url: Zeroizing<String>,
    keys: Option<PathBuf>,
    /// Whom to trust where the place is reached over TLS. Empty: Mozilla's roots.
    #[cfg(feature = "redis-tls")]
    roots: Vec<CertificateDer<'static>>,
    /// How long a connection waits for a session that is on its way.
    pub(crate) wait: Duration,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            url: Zeroizing::default(),
            keys: None,
            #[cfg(feature = "redis-tls")]
            roots: Vec::new(),
            wait: STORE_WAIT,
        }
    }
}

impl Place {
    /// What a configuration says.
    pub(crate) fn set(
        &mut self,
        url: &str,
        keys: Option<&Path>,
        roots: &[PathBuf],
        wait: Duration,
    ) -> Result<(), Error> {
        self.url = Zeroizing::new(url.to_owned());
        self.keys = keys.map(Path::to_owned);
        self.wait = wait;
        self.trust(roots)
    }

    #[cfg(feature = "redis-tls")]
    fn trust(&mut self, roots: &[PathBuf]) -> Result<(), Error> {
        self.roots.clear();
        for path in roots {
            self.roots.append(&mut read_certificates(path)?);
        }
        Ok(())
    }

    #[cfg(not(feature = "redis-tls"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn trust(&self, roots: &[PathBuf]) -> Result<(), Error> {
        if roots.is_empty() {
            return Ok(());
        }
        Err(config(
            "store_roots needs tls-resume built with the feature redis-tls: leave it out, or build \
             it so",
        ))
    }
}

/// A store and, unless it is in memory alone, what lies behind it.
pub(crate) type Opened<S> = (Arc<SessionStore<S>>, Option<Box<dyn Beyond>>);

impl<B: Backend> ConnectorBuilder<B> {
    /// Keeps sessions beyond the memory of this connector, for other processes and machines:
    ///
    /// - `lmdb:DIR`: in a file, for the processes of this machine (feature `lmdb`). The directory is
    ///   made if it is not there; nobody else may look into it.
    /// - `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`: in Redis 7 or newer, or Valkey, for
    ///   many machines (feature `redis`). One that is down is no error: sessions stay in memory
    ///   until it is there. `rediss://` is the same over TLS (feature `redis-tls`).
    /// - `memory:`: in memory alone, as if nothing were said.
    ///
    /// Sessions are shared by connectors that have the same backend, the same settings as far as
    /// they decide over trust, the same [`domain`](Self::domain), and the same
    /// [keys](Self::store_keys). They are sealed before they leave, and servers go by a keyed hash.
    ///
    /// [`Connector::connect`] has a session fetched while it connects, and dropping the last clone
    /// of the connector writes what memory still holds. A handshake never waits for the place; one
    /// that is down, hung or damaged costs full handshakes; dropping a connector waits for it up to a
    /// second. A process that forks makes its connectors after the fork.
    ///
    /// ```no_run
    /// # #[cfg(all(feature = "openssl", feature = "lmdb"))]
    /// # fn main() -> Result<(), tls_resume::Error> {
    /// let connector = tls_resume::openssl::Connector::builder()
    ///     .domain("mail-out")
    ///     .store("lmdb:/var/spool/mail/sessions")
    ///     .build()?;
    /// let stream = connector.connect("mail.example.com", 465)?;
    /// println!("{:?} {:?}", stream.resumption(), connector.tier_stats());
    /// # Ok(())
    /// # }
    /// # #[cfg(not(all(feature = "openssl", feature = "lmdb")))]
    /// # fn main() {}
    /// ```
    pub fn store(mut self, url: impl Into<String>) -> Self
    where
        B: Shareable,
    {
        self.settings.place.url = Zeroizing::new(url.into());
        self.open = open::<B::Session>;
        self
    }

    /// Seals what leaves memory under the keys of this file, and makes it if it is not there.
    ///
    /// Default: `keys` in the directory of an `lmdb:` store, else `tls-resume/keys` where programs
    /// of this user keep their state (`$XDG_STATE_HOME`, or `~/.local/state`). Machines that share
    /// sessions need the same file. Nobody but its owner may read it.
    pub fn store_keys(mut self, path: impl Into<PathBuf>) -> Self
    where
        B: Shareable,
    {
        self.settings.place.keys = Some(path.into());
        self
    }

    /// Trusts these root certificates where the store is reached over TLS, instead of Mozilla's. They
    /// have nothing to do with the servers that the connector connects to.
    #[cfg(feature = "redis-tls")]
    pub fn store_roots(mut self, roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Self
    where
        B: Shareable,
    {
        self.settings.place.roots.extend(roots);
        self
    }

    /// How long a connection waits at most, once TCP is connected, for a session that is on its way
    /// from the store. Default 5 ms.
    pub fn store_timeout(mut self, wait: Duration) -> Self
    where
        B: Shareable,
    {
        self.settings.place.wait = wait;
        self
    }
}

impl<B: Shareable> Connector<B> {
    /// Has a session of this server fetched, if memory has none, and waits for it as long as a
    /// connection would: to be called before the transport of
    /// [`connect_stream`](Self::connect_stream) is connected, which waits itself otherwise.
    pub fn prefetch(&self, host: &str, port: u16) {
        self.prefetch_for(host, port);
    }

    /// Loads up to `most` sessions, those that live longest, from an `lmdb:` store, and waits for
    /// them at most for `deadline`: for a process that starts and is the only one. Whether that was
    /// done.
    pub fn load(&self, most: usize, deadline: Duration) -> bool {
        let domain = self.security_domain();
        self.beyond()
            .is_some_and(|beyond| beyond.load(domain, most, deadline))
    }

    /// Writes to the store what memory holds, and waits for that at most for `deadline`: for a
    /// process that ends without dropping its connector. Whether that was done.
    pub fn flush(&self, deadline: Duration) -> bool {
        self.beyond().is_some_and(|beyond| beyond.flush(deadline))
    }

    /// What was done beyond memory; nothing if the store is in memory alone.
    pub fn tier_stats(&self) -> Option<TierStats> {
        self.beyond().map(Beyond::stats)
    }
}

/// How the place is opened that the settings name.
pub(crate) type Open<S> = fn(&Settings) -> Result<Opened<S>, Error>;

/// A store in memory alone.
pub(crate) fn in_memory<S: Storable>(settings: &Settings) -> Result<Opened<S>, Error> {
    Ok((Arc::new(SessionStore::new(settings.limits.clone())?), None))
}

/// Opens the place that the settings name.
pub(crate) fn open<S: Portable>(settings: &Settings) -> Result<Opened<S>, Error> {
    let Place { url, keys, .. } = &settings.place;
    match url.split_once(':') {
        Some(("memory", "")) => in_memory(settings),
        Some(("lmdb", dir)) if !dir.is_empty() => {
            let dir = Path::new(dir);
            let tier = places::lmdb(dir, settings)?;
            let keys = keys.clone().unwrap_or_else(|| dir.join("keys"));
            share(settings, tier, read_or_create(&keys)?)
        }
        Some(("redis" | "rediss", _)) => {
            let keys = keys.clone().map_or_else(places::keys, Ok)?;
            let ring = read_or_create(&keys)?;
            share(settings, places::redis(url, &ring, settings)?, ring)
        }
        // Not shown: there may be a password in it.
        _ => Err(config(
            "no such store: give memory:, lmdb:DIR or redis://HOST[:PORT]",
        )),
    }
}

fn share<S: Portable>(
    settings: &Settings,
    tier: Box<dyn Tier>,
    ring: KeyRing,
) -> Result<Opened<S>, Error> {
    let (limits, clock) = (settings.limits.clone(), Arc::clone(&settings.clock));
    // Who is willing to wait for longer gets what comes later.
    let mut how = SharedSettings::default();
    how.stall_timeout = how.stall_timeout.max(settings.place.wait);
    let shared = SharedStore::new(limits, tier, ring, how, clock).map_err(of_config)?;
    let memory = Arc::clone(shared.memory());
    Ok((memory, Some(Box::new(shared))))
}

fn read_or_create(keys: &Path) -> Result<KeyRing, Error> {
    key_file::read_or_create(keys).map_err(of_config)
}

fn config(message: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Config, message)
}

fn of_config<E: std::error::Error + Send + Sync + 'static>(error: E) -> Error {
    config(&error).caused_by(error)
}
