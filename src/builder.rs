//! The builder of a connector.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
#[cfg(feature = "metrics")]
use std::sync::Mutex;
use std::time::Duration;

use pki_types::{CertificateDer, PrivateKeyDer};
use store_core::{Clock, Limits, ReuseTickets};
#[cfg(feature = "shared")]
use zeroize::Zeroizing;

#[cfg(feature = "shared")]
use crate::backend::Shareable;
use crate::connector::{Connector, Opened};
#[cfg(feature = "metrics")]
use crate::metrics::Meter;
use crate::never_resume::NeverResume;
use crate::settings::Settings;
use crate::store::{self, Open};
use crate::{Backend, ClientCredential, CredentialSource, Error, NamedGroup, Protocol};

/// Builder of a [`Connector`].
#[must_use = "`build` makes the connector"]
pub struct ConnectorBuilder<B: Backend> {
    pub(crate) settings: Settings,
    pub(crate) options: B::Options,
    pub(crate) open: Open<B::Session>,
}

impl<B: Backend> Connector<B> {
    /// A builder of a connector that trusts Mozilla's roots, speaks TLS 1.2 and 1.3, and stores
    /// sessions within the default [`Limits`](crate::Limits).
    pub fn builder() -> ConnectorBuilder<B> {
        ConnectorBuilder {
            settings: Settings::default(),
            options: B::Options::default(),
            open: store::in_memory::<B::Session>,
        }
    }
}

impl<B: Backend> ConnectorBuilder<B> {
    /// Trusts these root certificates, in addition to those of earlier calls. Mozilla's are trusted
    /// only if neither this nor [`roots_pem_file`](Self::roots_pem_file) is called; `build` fails
    /// if all lists are empty.
    pub fn roots(mut self, roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.settings.own_roots = true;
        self.settings.roots.extend(roots);
        self
    }

    /// Trusts the root certificates of a PEM file, in addition to those of earlier calls. `build`
    /// reads the file, 16 MiB of it at most.
    pub fn roots_pem_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.own_roots = true;
        self.settings.root_files.push(path.into());
        self
    }

    /// Authenticates the client to servers that request it. `chain` is its certificate, then
    /// intermediates; `key` is the certificate's private key.
    pub fn client_certificate(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        let credential = ClientCredential::new(chain, key);
        self.settings.client = Some(Arc::new(credential));
        self.settings.client_source = None;
        self
    }

    /// Authenticates the client with a certificate that changes while the connector is in use: each
    /// connection asks `source` for the current one. Replaces
    /// [`client_certificate`](Self::client_certificate).
    ///
    /// Each credential has a security domain of its own in the same store, within the same limits: a
    /// connection resumes no session that another credential made. Connections that have begun end
    /// with the one that they began with. The first connection with a new credential configures the TLS
    /// library again while others wait: some milliseconds with OpenSSL, less with rustls. If the library
    /// rejects a new credential, for example because its key does not belong to its certificate, the
    /// one before stays in use ([`client_certificate_error`](Connector::client_certificate_error)).
    /// `build` fails if it rejects the first one.
    pub fn client_credentials(mut self, source: impl CredentialSource + 'static) -> Self {
        self.settings.client_source = Some(Arc::new(source));
        self
    }

    /// Offers these application protocols (ALPN), the preferred one first: `["h2", "http/1.1"]`.
    /// Each name has 1 to 255 bytes. Default: none.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.settings.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Allows only these versions of TLS. Default: 1.2 and 1.3. `build` fails without any.
    pub fn protocols(mut self, protocols: impl IntoIterator<Item = Protocol>) -> Self {
        self.settings.protocols = protocols.into_iter().collect();
        self
    }

    /// Offers only these key-exchange groups, the preferred one first. Default, and with an empty list:
    /// those of the TLS library.
    ///
    /// The first message has a key share for the first of them; the library may add others. With a server
    /// that is known, the one that it chose last comes first. `build` fails if the library does not
    /// support a group, and names those that it supports: with rustls those of the
    /// [provider](crate::rustls::ConnectorBuilder::provider), if one is set.
    ///
    /// A TLS 1.2 handshake uses none of the post-quantum groups: without an elliptic curve beside them,
    /// allow only TLS 1.3.
    pub fn groups<G: Into<NamedGroup>>(mut self, groups: impl IntoIterator<Item = G>) -> Self {
        self.settings.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the limits of the store. [`Limits::off`] turns resumption off.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Names the security domain: connectors with different names do not use each other's sessions,
    /// even if all other settings are the same. Default: the empty name.
    pub fn domain(mut self, name: impl Into<String>) -> Self {
        self.settings.domain = name.into();
        self
    }

    /// Neither stores nor offers sessions of these servers: those whose certificate must be verified
    /// in every handshake, such as pinned ones, or whose application protocol does not allow
    /// resumption.
    ///
    /// Each is a host, a DNS name or IP address, with all its ports, or a host with one port:
    /// `"host:443"`, `"[2001:db8::1]:443"`. For a client that does not tell the port, as with a
    /// `client_config`, a server with a port stands for its host. `build` fails if one is neither.
    /// [`Connector::set_never_resume`] replaces them all later.
    pub fn never_resume<H: AsRef<str>>(mut self, servers: impl IntoIterator<Item = H>) -> Self {
        let servers = servers.into_iter().map(|server| server.as_ref().to_owned());
        self.settings.never_resume.extend(servers);
        self
    }

    /// Sets whether a connector with a [client certificate](Self::client_certificate) stores and
    /// offers sessions. Default `true`.
    ///
    /// A resumed connection has the client's identity from the full handshake. Some servers lose it,
    /// and some must see the certificate in every handshake: for those, `false`.
    pub fn resume_with_client_certificate(mut self, resumes: bool) -> Self {
        self.settings.resume_with_client_certificate = resumes;
        self
    }

    /// Bounds [`Connector::connect`], handshake included. Default 30 s. A transport of the caller's
    /// ([`Connector::connect_stream`]) has its own timeouts.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Allows [`Connector::connect_early`] to send data with the first message of a resumed
    /// handshake (0-RTT). Default off: then no connection announces or sends early data.
    ///
    /// Read first [when it is safe](Connector::connect_early). If early data is allowed,
    /// [`alpn`](Self::alpn) can offer one protocol at most: the server reads early data in the
    /// protocol of the connection that the session comes from, which the caller does not know. If
    /// that connection negotiated none, for example because the server does not support ALPN, the
    /// server reads early data in the protocol that it speaks without ALPN.
    pub fn early_data(mut self, allowed: bool) -> Self {
        self.settings.early_data = allowed;
        self
    }

    /// Sets whether a handshake that failed with a session offered is made once more, without one.
    /// Default `true`.
    ///
    /// For [`connect`](crate::generic::Connector::connect), which can open a second connection to the
    /// same address, within the same timeout; also for the connections of hyper, of ureq (to the
    /// first of the host's addresses that answers, within ureq's timeout) and of
    /// `lettre::connect_starttls`. Not if early data may have been sent, nor if the server's
    /// certificate is rejected. The caller then sees no error;
    /// [`Stream::retried`](crate::generic::Stream::retried) and the counter `retried` show it. Some
    /// servers fail whenever a session is offered: the store remembers them, and offers them none
    /// for a while.
    pub fn retry_failed_resumption(mut self, retry: bool) -> Self {
        self.settings.retry_failed_resumption = retry;
        self
    }

    /// Sets whether TLS 1.3 tickets are offered more than once. Default [`ReuseTickets::Never`].
    ///
    /// With [`ReuseTickets::UntilRenewed`] every connection offers the newest ticket of its server, and
    /// so resumes with servers that give one ticket and none after a resumption, such as Postfix, and
    /// with one ticket for many connections at once. The ticket is dropped at the first decline or
    /// failure. What it gives up: who observes the network can tell that the connections are of one
    /// client (RFC 8446, appendix C.4), and a server that stores used tickets declines. Use it where
    /// both ends are known anyway, such as between mail servers.
    ///
    /// `build` fails with [`early_data`](Self::early_data), which needs tickets that are used once, and
    /// on rustls 0.23, whose tickets cannot be copied.
    pub fn reuse_tickets(mut self, reuse: ReuseTickets) -> Self {
        self.settings.reuse_tickets = reuse;
        self
    }

    /// Shows servers by host and port in the events for `tracing`. Default off: the events show a
    /// digest of the name.
    #[cfg(feature = "tracing")]
    pub fn log_server_names(mut self, named: bool) -> Self {
        self.settings.log_server_names = named;
        self
    }

    /// Sets the labels of the connector's metrics, replacing the label `domain`: for applications
    /// with many domains, or whose domain names are personal data. Connectors with the same labels
    /// add up.
    #[cfg(feature = "metrics")]
    pub fn metric_labels<N, V>(mut self, labels: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<String>,
    {
        let label = |(name, value): (N, V)| ::metrics::Label::new(name.into(), value.into());
        self.settings.metric_labels = Some(labels.into_iter().map(label).collect());
        self
    }

    /// Takes the time from `clock`: for tests of expiry.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Reads the files, opens the store and builds the connector. Fails with
    /// [`ErrorKind::Config`](crate::ErrorKind::Config).
    pub fn build(self) -> Result<Connector<B>, Error> {
        let mut settings = self.settings.load()?;
        let store = (self.open)(&settings)?;
        #[cfg(feature = "tracing")]
        store.memory.log_server_names(settings.log_server_names);
        #[cfg(feature = "metrics")]
        let meter = Meter::new(
            settings
                .metric_labels
                .clone()
                .unwrap_or_else(|| vec![::metrics::Label::new("domain", settings.domain.clone())]),
        );
        let opened = Opened {
            store,
            never_resume: Arc::new(NeverResume::new(settings.take_never_resume())),
            #[cfg(feature = "metrics")]
            meter: Mutex::new(meter),
        };
        Connector::new(settings, self.options, Arc::new(opened))
    }
}

// `where` on each method, so that the compiler shows the message of `Shareable`.
#[cfg(feature = "shared")]
impl<B: Backend> ConnectorBuilder<B> {
    /// Stores sessions in memory and in a tier, which other processes and machines can share:
    ///
    /// - `lmdb:DIR`: in a file, for the processes of this machine (feature `lmdb`). Creates the
    ///   directory, which only its owner may read.
    /// - `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`: in Redis 7 or newer, or Valkey, for
    ///   many machines (feature `redis`). If it is down, sessions stay in memory until it is up
    ///   again. `redis+unix:///PATH` is one on this machine; `redis-sentinel://HOST,HOST/NAME` the
    ///   primary that Sentinels know by this name; `redis-cluster://HOST,HOST` a cluster; with user,
    ///   password and ports as above. `rediss://`, `rediss-sentinel://` and `rediss-cluster://` are
    ///   the same over TLS (feature `redis-tls`).
    /// - `memory:`: in memory alone, which is the default.
    ///
    /// Connectors share sessions if they have the same backend, the same [`domain`](Self::domain),
    /// the same [keys](Self::store_keys), and the same settings that decide over trust or over what
    /// is offered (roots, client certificate, versions, ALPN). Sessions are sealed before they
    /// leave the process, and a server is identified in the tier by a keyed hash.
    ///
    /// [`Connector::connect`] fetches a session while TCP connects, and then waits for it for
    /// [`store_timeout`](Self::store_timeout) at most. A tier that is down, hangs or is damaged
    /// costs full handshakes, never an error of a connection. Dropping the last clone of the
    /// connector writes the sessions that are only in memory, for up to a second. A process that
    /// forks must build its connectors after the fork.
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
        self.settings.store.url = Zeroizing::new(url.into());
        self.open = store::at_url::<B::Session>;
        self
    }

    /// Seals sessions in the tier under the keys of this file, which `build` creates if it does not
    /// exist.
    ///
    /// Default: `keys` in the directory of an `lmdb:` store, else `tls-resume/keys` in the user's
    /// state directory (`$XDG_STATE_HOME`, or `~/.local/state`). Machines that share sessions need
    /// the same file. It must be readable by its owner only.
    pub fn store_keys(mut self, path: impl Into<PathBuf>) -> Self
    where
        B: Shareable,
    {
        self.settings.store.keys = Some(path.into());
        self
    }

    /// Trusts these root certificates for the TLS connection to Redis, instead of Mozilla's. They
    /// are not trusted for the servers that the connector connects to.
    #[cfg(feature = "redis-tls")]
    pub fn store_roots(mut self, roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Self
    where
        B: Shareable,
    {
        self.settings.store.roots.extend(roots);
        self
    }

    /// Bounds how long a connection waits, once TCP is connected, for a session that is being
    /// fetched from the tier. Default 5 ms; more than half of [`timeout`](Self::timeout) counts as
    /// half.
    pub fn store_timeout(mut self, timeout: Duration) -> Self
    where
        B: Shareable,
    {
        self.settings.store.timeout = timeout;
        self
    }
}

impl<B: Backend> fmt::Debug for ConnectorBuilder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
