//! A client on rustls.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use lab::server::Protocol;
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
    WebPkiServerVerifier,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, NamedGroup, ProtocolVersion, RootCertStore,
    Stream, version,
};

use super::{Client, ClientSettings, Exchange, NAME, Transport};

pub(super) struct RustlsClient {
    config: Arc<ClientConfig>,
    store: Arc<Store>,
}

impl RustlsClient {
    pub(super) fn new(settings: &ClientSettings) -> Self {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from(settings.root.clone()))
            .unwrap();
        let provider = Arc::new(default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
        let versions: Vec<_> = settings
            .protocols
            .iter()
            .map(|protocol| match protocol {
                Protocol::Tls12 => &version::TLS12,
                Protocol::Tls13 => &version::TLS13,
            })
            .collect();
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .unwrap()
            .with_webpki_verifier(verifier.build().unwrap());
        let mut config = match settings.identity.clone() {
            Some(identity) => builder
                .with_client_auth_cert(identity.chain, identity.key)
                .unwrap(),
            None => builder.with_no_client_auth(),
        };
        let store = Arc::new(Store::default());
        config.resumption = Resumption::store(store.clone());
        config.alpn_protocols.clone_from(&settings.alpn);
        config.enable_early_data = settings.early_data;
        Self {
            config: Arc::new(config),
            store,
        }
    }
}

impl Client for RustlsClient {
    fn exchange(&self, mut transport: &mut dyn Transport) -> Result<Exchange, String> {
        let before = self.store.0.lock().unwrap().received;
        let name = ServerName::try_from(NAME).unwrap();
        let mut tls = ClientConnection::new(self.config.clone(), name).unwrap();
        let mut request = &b"request"[..];
        if let Some(mut early) = tls.early_data() {
            early.write_all(request).unwrap();
            request = b"";
        }
        let mut stream = Stream::new(&mut tls, &mut transport);
        stream
            .write_all(request)
            .map_err(|error| error.to_string())?;
        let mut echo = [0; 7];
        stream
            .read_exact(&mut echo)
            .map_err(|error| error.to_string())?;
        assert_eq!(&echo, b"request");
        tls.send_close_notify();
        tls.write_tls(&mut transport)
            .map_err(|error| error.to_string())?;

        let sessions = self.store.0.lock().unwrap();
        Ok(Exchange {
            protocol: match tls.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => Protocol::Tls13,
                _ => Protocol::Tls12,
            },
            resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
            sessions: sessions.received - before,
            lifetime: None,
        })
    }
}

#[derive(Debug, Default)]
struct Store(Mutex<Sessions>);

#[derive(Debug, Default)]
struct Sessions {
    received: usize,
    tls12: Option<Tls12ClientSessionValue>,
    tls13: VecDeque<Tls13ClientSessionValue>,
}

impl ClientSessionStore for Store {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        let mut sessions = self.0.lock().unwrap();
        sessions.received += 1;
        sessions.tls12 = Some(value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.lock().unwrap().tls12.clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.lock().unwrap().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut sessions = self.0.lock().unwrap();
        sessions.received += 1;
        sessions.tls13.push_back(value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().unwrap().tls13.pop_back()
    }
}
