//! A client on OpenSSL.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use lab::server::{Protocol, ticket_lifetime_hint};
use openssl::pkey::PKey;
use openssl::ssl::{
    ShutdownState, Ssl, SslConnector, SslContext, SslMethod, SslSession, SslSessionCacheMode,
    SslStream, SslVersion,
};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;

use super::{Client, ClientSettings, Exchange, NAME, Transport};

pub(super) struct OpenSslClient {
    context: SslContext,
    sessions: Arc<Mutex<Vec<SslSession>>>,
    early_data: bool,
}

impl OpenSslClient {
    pub(super) fn new(settings: &ClientSettings) -> Self {
        let mut context = SslConnector::builder(SslMethod::tls_client()).unwrap();
        let mut roots = X509StoreBuilder::new().unwrap();
        roots
            .add_cert(X509::from_der(&settings.root).unwrap())
            .unwrap();
        context.set_cert_store(roots.build());
        let version = |protocol: &Protocol| match protocol {
            Protocol::Tls12 => SslVersion::TLS1_2,
            Protocol::Tls13 => SslVersion::TLS1_3,
        };
        context
            .set_min_proto_version(settings.protocols.iter().min().map(version))
            .unwrap();
        context
            .set_max_proto_version(settings.protocols.iter().max().map(version))
            .unwrap();
        if let Some(identity) = &settings.identity {
            context
                .set_certificate(&X509::from_der(&identity.chain[0]).unwrap())
                .unwrap();
            context
                .add_extra_chain_cert(X509::from_der(&identity.chain[1]).unwrap())
                .unwrap();
            let key = PKey::private_key_from_der(identity.key.secret_der()).unwrap();
            context.set_private_key(&key).unwrap();
        }
        let mut alpn = Vec::new();
        for protocol in &settings.alpn {
            alpn.push(u8::try_from(protocol.len()).unwrap());
            alpn.extend_from_slice(protocol);
        }
        if !alpn.is_empty() {
            context.set_alpn_protos(&alpn).unwrap();
        }
        let sessions = Arc::new(Mutex::new(Vec::new()));
        let received = sessions.clone();
        context
            .set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
        context.set_new_session_callback(move |_, session| {
            received
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(session);
        });
        let context = context.build().into_context();
        Self {
            context,
            sessions,
            early_data: settings.early_data,
        }
    }
}

impl Client for OpenSslClient {
    fn exchange(&self, transport: &mut dyn Transport) -> Result<Exchange, String> {
        let offered = self.sessions.lock().unwrap().pop();
        let mut ssl = Ssl::new(&self.context).unwrap();
        ssl.set_hostname(NAME).unwrap();
        ssl.param_mut().set_host(NAME).unwrap();
        if let Some(session) = &offered {
            // SAFETY: the session was made by a connection of this context.
            unsafe { ssl.set_session(session) }.unwrap();
        }
        let before = self.sessions.lock().unwrap().len();
        ssl.set_connect_state();
        let mut stream = SslStream::new(ssl, transport).unwrap();
        let mut request = &b"request"[..];
        if self.early_data
            && offered
                .as_ref()
                .is_some_and(|session| session.max_early_data() > 0)
        {
            stream
                .write_early_data(request)
                .map_err(|error| error.to_string())?;
            request = b"";
        }
        stream.connect().map_err(|error| {
            format!(
                "{error}; certificate: {}",
                stream.ssl().verify_result().error_string()
            )
        })?;
        stream
            .write_all(request)
            .map_err(|error| error.to_string())?;
        let mut echo = [0; 7];
        stream
            .read_exact(&mut echo)
            .map_err(|error| error.to_string())?;
        assert_eq!(&echo, b"request");
        stream.shutdown().map_err(|error| error.to_string())?;
        // OpenSSL marks a session as not resumable if its connection ends without both alerts.
        stream.set_shutdown(ShutdownState::SENT | ShutdownState::RECEIVED);

        let mut sessions = self.sessions.lock().unwrap();
        let received = sessions.len() - before;
        let newest = sessions.last().filter(|_| received > 0);
        let lifetime = newest.and_then(|session| ticket_lifetime_hint(session));
        let resumed = stream.ssl().session_reused();
        if resumed && received == 0 {
            // The TLS 1.2 session of the connection, which is not the one offered if the server has
            // renewed the ticket: OpenSSL then replaces the session, invalidates the old one, and
            // does not call the callback.
            sessions.extend(stream.ssl().session().map(ToOwned::to_owned));
        }
        Ok(Exchange {
            protocol: match stream.ssl().version2() {
                Some(SslVersion::TLS1_3) => Protocol::Tls13,
                _ => Protocol::Tls12,
            },
            resumed,
            sessions: received,
            lifetime: lifetime.map(|lifetime| lifetime.as_secs()),
        })
    }
}
