//! TLS to Redis, with the caller's rustls configuration.

use std::sync::Arc;

use lab::certificate::{Authority, Identity, KeyKind};
use lab::tcp::free_port;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use store_tiers::redis::{RedisError, RedisTier};
use store_tiers::{Tier as _, TierError};

use super::server::Server;
use super::{hours, id, long_timeouts, now, single_use, take};

/// Redis with TLS on a second port.
struct TlsServer {
    redis: Server,
    _dir: tempfile::TempDir,
    port: u16,
}

fn start(authority: &Authority, clients: &str) -> TlsServer {
    start_with(authority, clients, "")
}

fn start_with(authority: &Authority, clients: &str, options: &str) -> TlsServer {
    let dir = tempfile::tempdir().unwrap();
    let identity = authority.issue(&["localhost", "127.0.0.1"]);
    let write = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let chain = write("chain.pem", identity.chain_pem());
    let key = write("key.pem", identity.key_pem());
    let roots = write("roots.pem", authority.root_pem());
    let port = free_port().unwrap();
    let server = Server::with(&format!(
        "--tls-port {port} --tls-cert-file {chain} --tls-key-file {key} \
         --tls-ca-cert-file {roots} --tls-auth-clients {clients} --requirepass opensesame {options}"
    ));
    TlsServer {
        redis: server,
        _dir: dir,
        port,
    }
}

/// Does not use a process-default provider: there is none in this process.
fn config(authority: &Authority, client: Option<Identity>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root_der()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match client {
        None => config.with_no_client_auth(),
        Some(client) => config
            .with_client_auth_cert(client.chain, client.key)
            .unwrap(),
    })
}

fn tier(server: &TlsServer, config: Arc<ClientConfig>) -> RedisTier {
    let url = format!("rediss://:opensesame@localhost:{}", server.port);
    RedisTier::new(&url, &long_timeouts().with_tls(config)).unwrap()
}

#[test]
fn tls_with_a_private_root_and_a_password() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let server = start(&authority, "no");
    let mut tier = tier(&server, config(&authority, None));
    for round in ["1", "2", "3"] {
        tier.put(&[single_use("a", round, hours(1))], now())
            .unwrap();
        assert_eq!(take(&mut tier, "a", 9).unwrap(), [round]);
    }
    let connected = server.redis.info("stats", "total_connections_received");
    tier.clear().unwrap();
    let again = server.redis.info("stats", "total_connections_received");
    assert_eq!(again, connected + 1, "only the monitor's");
}

/// One node has all slots.
#[test]
fn a_cluster_with_tls() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let bus_port = free_port().unwrap();
    let options = format!("--cluster-enabled yes --tls-cluster yes --cluster-port {bus_port}");
    let server = start_with(&authority, "no", &options);
    server.redis.ask::<()>("CLUSTER ADDSLOTSRANGE 0 16383");
    let url = format!("rediss-cluster://:opensesame@localhost:{}", server.port);
    let settings = long_timeouts().with_tls(config(&authority, None));
    let mut tier = RedisTier::new(&url, &settings).unwrap();
    let record = [single_use("a", "ticket", hours(1))];
    super::server::eventually("the cluster is up", || tier.put(&record, now()).is_ok());
    assert_eq!(take(&mut tier, "a", 9).unwrap(), ["ticket"]);
    let clients: String = server.redis.ask("CLIENT LIST");
    assert!(
        clients.contains(&format!("laddr=127.0.0.1:{}", server.port)),
        "{clients}"
    );
}

#[test]
fn an_untrusted_server_is_an_error() {
    let server = start(&Authority::new(KeyKind::EcdsaP256), "no");
    let mut tier = tier(&server, config(&Authority::new(KeyKind::EcdsaP256), None));
    let error = tier.take(&id("a"), 1, now()).unwrap_err();
    let TierError::NotApplied(text) = &error else {
        panic!("{error:?}");
    };
    assert!(text.contains("certificate"), "{text}");
}

#[test]
fn a_client_certificate() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let server = start(&authority, "yes");
    let client = authority.issue_client("client");
    let mut with = tier(&server, config(&authority, Some(client)));
    with.put(&[single_use("a", "ticket", hours(1))], now())
        .unwrap();
    assert_eq!(take(&mut with, "a", 1).unwrap(), ["ticket"]);
    let mut without = tier(&server, config(&authority, None));
    let error = without.take(&id("a"), 1, now());
    assert!(matches!(error, Err(TierError::NotApplied(_))), "{error:?}");
}

#[test]
fn a_configuration_without_rediss_is_an_error() {
    let config = config(&Authority::new(KeyKind::EcdsaP256), None);
    let new = |url: &str| RedisTier::new(url, &long_timeouts().with_tls(config.clone())).map(drop);
    assert_eq!(new("redis://localhost"), Err(RedisError::NotTls));
    assert_eq!(new("rediss://bad_host!"), Err(RedisError::Host));
}
