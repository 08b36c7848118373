//! quinn with a client certificate that rotates.

use std::sync::{Arc, Mutex};

use lab::certificate::{Authority, Identity, KeyKind};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, ServerConfig};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use tls_resume::quinn::client_config;
use tls_resume::rustls::Connector;
use tls_resume::{ClientCredential, RotatingCredential};

/// The client's own certificate in each connection.
type Seen = Arc<Mutex<Vec<CertificateDer<'static>>>>;

/// Starts a server that demands client certificates, and closes each connection after one stream.
fn start(authority: &Authority) -> (Endpoint, Seen) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.root_der()).expect("a root");
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let identity = authority.issue(&["localhost"]);
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(identity.chain, identity.key)
        .expect("a certificate");
    tls.alpn_protocols = vec![b"echo".to_vec()];
    let tls = QuicServerConfig::try_from(tls).expect("QUIC");
    let config = ServerConfig::with_crypto(Arc::new(tls));
    let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).expect("a port");
    let seen = Seen::default();
    tokio::spawn(serve(endpoint.clone(), Arc::clone(&seen)));
    (endpoint, seen)
}

async fn serve(endpoint: Endpoint, seen: Seen) {
    while let Some(incoming) = endpoint.accept().await {
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let connection = incoming.await.expect("a handshake");
            let chain = connection.peer_identity().expect("a client certificate");
            let chain = chain.downcast::<Vec<CertificateDer<'static>>>();
            seen.lock().unwrap().push(chain.expect("a chain").remove(0));
            while let Ok((mut send, _)) = connection.accept_bi().await {
                send.write_all(b"hello").await.expect("room");
                send.finish().expect("an end");
            }
        });
    }
}

/// Connects and reads twice: the tickets come before the second answer.
async fn visit(client: &Endpoint, server: &Endpoint) {
    let address = server.local_addr().expect("an address");
    let connecting = client.connect(address, "localhost").expect("a name");
    let connection = connecting.await.expect("a handshake");
    for _ in 0..2 {
        let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
        send.write_all(b"hello").await.expect("room");
        send.finish().expect("an end");
        receive.read_to_end(64).await.expect("an answer");
    }
    connection.close(0u8.into(), b"");
}

/// R38.
#[tokio::test]
async fn a_rotated_credential_resumes_no_old_session() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let (server, seen) = start(&authority);
    let issue = || authority.issue_client("client.lab.example");
    let credential = |identity: &Identity| {
        let Identity { chain, key } = identity.clone();
        ClientCredential::new(chain, key)
    };
    let mut identity = issue();
    let source = Arc::new(RotatingCredential::new(credential(&identity)));
    let connector = Connector::builder()
        .roots([authority.root_der()])
        .alpn([b"echo".to_vec()])
        .client_credentials(Arc::clone(&source))
        .build()
        .expect("valid settings");
    let mut client = Endpoint::client("127.0.0.1:0".parse().unwrap()).expect("a port");
    client.set_default_client_config(client_config(&connector).expect("valid settings"));
    for rotation in 0..=5 {
        let before = connector.stats().taken;
        for _ in 0..40 {
            visit(&client, &server).await;
            let last = seen.lock().unwrap().last().cloned();
            assert_eq!(last.as_ref(), Some(&identity.chain[0]), "{rotation}");
        }
        let offered = connector.stats().taken - before;
        assert_eq!(offered, 39, "{rotation}");

        identity = issue();
        source.set(credential(&identity));
    }
}
