//! The client on OpenSSL.

mod der;
mod hyper_openssl;
mod in_hand;
mod offer;
mod ours;
mod own;

use std::error::Error;

use backend_openssl::{PeerCertificate, negotiated_group};
use lab::server::{Group, Protocol};
use lab::transport::InMemory;
use openssl::error::ErrorStack;
use openssl::ssl::{
    self, ErrorCode, Ssl, SslCipherRef, SslConnector, SslConnectorBuilder, SslMethod, SslRef,
    SslSessionCacheMode, SslStream, SslVersion,
};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use pki_types::CertificateDer;

use self::der::Der;
use self::hyper_openssl::HyperOpenssl;
use self::in_hand::InHand;
use self::ours::{Hinted, Ours};
use self::own::Brought;
use super::clock::Clock;
use super::{Begun, Client, Corner, Groups, HandshakeError, NAME, PORT, Seen, Store};

/// A client with its context, built once.
pub(super) struct OpenSslClient(Box<dyn Keeper>);

/// What a client does about sessions.
trait Keeper: Send + Sync {
    /// A connection to [`NAME`], with a session offered if there is one.
    fn connection(&self) -> Result<Ssl, ErrorStack>;

    /// Looks at a connection that has read what follows its handshake.
    fn settled(&self, _: &SslRef) -> Result<(), ErrorStack> {
        Ok(())
    }
}

impl OpenSslClient {
    pub(super) fn new(
        corner: Corner,
        root: &CertificateDer<'static>,
        store: &Store,
    ) -> Result<Self, HandshakeError> {
        Self::build(corner, root, store).map_err(HandshakeError::client)
    }

    fn build(
        corner: Corner,
        root: &CertificateDer<'static>,
        store: &Store,
    ) -> Result<Self, Box<dyn Error>> {
        let builder = || builder(corner, root);
        Ok(Self(match store {
            Store::None => {
                let mut builder = builder()?;
                builder.set_session_cache_mode(SslSessionCacheMode::OFF);
                Box::new(Sessionless(builder.build()))
            }
            Store::InHand => Box::new(InHand::attach(builder()?)),
            Store::Der => Box::new(Der::attach(builder()?)),
            Store::HyperOpenssl => Box::new(HyperOpenssl::attach(builder()?)?),
            Store::TlsResume => Box::new(Ours::attach(builder()?, PeerCertificate::Keep)?),
            Store::TlsResumeStrip => Box::new(Ours::attach(builder()?, PeerCertificate::Strip)?),
            Store::TlsResumeHint => Box::new(Hinted::attach(&builder)?),
            Store::Own(own) => {
                let store = own.make_openssl();
                let store = store.ok_or("it is no store for OpenSSL")?;
                Box::new(Brought::attach(builder()?, store))
            }
            Store::RustlsMemory => return Err(format!("OpenSSL has no store {store}").into()),
        }))
    }
}

/// A client without sessions.
struct Sessionless(SslConnector);

impl Keeper for Sessionless {
    fn connection(&self) -> Result<Ssl, ErrorStack> {
        self.0.configure()?.into_ssl(NAME)
    }
}

impl Client for OpenSslClient {
    fn begin(&self, transport: InMemory) -> Result<Box<dyn Begun + '_>, HandshakeError> {
        let begun = Handshake::start(&*self.0, transport).map_err(HandshakeError::client)?;
        Ok(Box::new(begun))
    }
}

struct Handshake<'a> {
    clock: Clock,
    keeper: &'a dyn Keeper,
    stream: SslStream<InMemory>,
}

impl<'a> Handshake<'a> {
    fn start(keeper: &'a dyn Keeper, transport: InMemory) -> Result<Self, Box<dyn Error>> {
        let clock = Clock::start(&transport);
        let ssl = keeper.connection()?;
        let mut stream = SslStream::new(ssl, transport)?;
        match stream.connect() {
            Err(error) if !is_empty_read(&error) => return Err(error.into()),
            _ => {}
        }
        Ok(Self {
            clock,
            keeper,
            stream,
        })
    }

    fn run(mut self) -> Result<Seen, Box<dyn Error>> {
        self.stream.connect()?; // at once, if it was not held up
        // Takes in what follows the handshake, the tickets; there is no data.
        match self.stream.ssl_read(&mut [0]) {
            Err(error) if is_empty_read(&error) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Err("the server sent data that nobody asked for".into()),
        }
        self.keeper.settled(self.stream.ssl())?;
        let reading = self.clock.stop(self.stream.get_ref());

        let ssl = self.stream.ssl();
        let resumed = ssl.session_reused();
        let group = negotiated_group(ssl);
        let cipher = ssl
            .current_cipher()
            .and_then(SslCipherRef::standard_name)
            .unwrap_or_default()
            .to_owned();
        // A connection that is dropped without it spoils its session.
        self.stream.shutdown()?;
        Ok(Seen {
            reading,
            resumed,
            cipher,
            group,
            by_server: self.stream.get_mut().server().facts(),
        })
    }
}

impl Begun for Handshake<'_> {
    fn transport(&mut self) -> &mut InMemory {
        self.stream.get_mut()
    }

    fn finish(self: Box<Self>) -> Result<Seen, HandshakeError> {
        self.run().map_err(HandshakeError::client)
    }
}

fn is_empty_read(error: &ssl::Error) -> bool {
    error.code() == ErrorCode::WANT_READ
}

fn builder(
    corner: Corner,
    root: &CertificateDer<'static>,
) -> Result<SslConnectorBuilder, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    let mut roots = X509StoreBuilder::new()?;
    roots.add_cert(X509::from_der(root)?)?;
    builder.set_cert_store(roots.build());
    let version = match corner.protocol {
        Protocol::Tls12 => SslVersion::TLS1_2,
        Protocol::Tls13 => SslVersion::TLS1_3,
    };
    builder.set_min_proto_version(Some(version))?;
    builder.set_max_proto_version(Some(version))?;
    match corner.groups {
        Groups::First(group) => offer_first(&mut builder, group, &[Group::P256])?,
        Groups::Default | Groups::DefaultTo(_) => {}
    }
    Ok(builder)
}

/// Offers one group with a key share, and names others.
fn offer_first(
    builder: &mut SslConnectorBuilder,
    first: Group,
    others: &[Group],
) -> Result<(), ErrorStack> {
    let others = others.iter().filter(|other| **other != first);
    let names: Vec<_> = [&first]
        .into_iter()
        .chain(others)
        .copied()
        .map(Group::as_str)
        .collect();
    builder.set_groups_list(&names.join(":"))
}
