//! Connectors that are built from a configuration.

use std::fs;
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::generic::Connector;
use tls_resume::pki_types::PrivateKeyDer;
use tls_resume::{Backend, Config, ErrorKind, Limits, Resumption};

use super::toml;

fn assert_rejected<B: Backend>(text: &str, says: &str) {
    let config = toml(text).expect("known keys");
    let error = Connector::<B>::from_config(&config).expect_err(text);
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains(says), "{text}: {error}");
}

pub(crate) fn invalid_settings_are_rejected<B: Backend>() {
    for (text, says) in [
        ("[limits]\nsession_bytes = \"1GiB\"", "session_bytes"),
        ("[limits]\nsessions_per_server = 0", "sessions_per_server"),
        ("[limits]\nreusable_lifetime = \"25h\"", "reusable_lifetime"),
        (
            "[limits]\nsingle_use_lifetime = \"8d\"",
            "single_use_lifetime",
        ),
        ("[limits]\nserver_bytes = \"1GiB\"", "server_bytes"),
        ("protocols = []", "protocols"),
        (r#"alpn = [""]"#, "alpn"),
        (
            "alpn = [\"h2\", \"http/1.1\"]\nearly_data = true",
            "early data",
        ),
        (
            r#"never_resume = ["no host"]"#,
            "\"no host\" in never_resume",
        ),
        ("timeout = 0", "timeout is 0"),
        (r#"roots = ["/nowhere/at/all.pem"]"#, "/nowhere/at/all.pem"),
        (r#"client_key = "key.pem""#, "client_certificate"),
        (
            "client_certificate = \"/nowhere/at/all.pem\"\nclient_key = \"key.pem\"",
            "/nowhere/at/all.pem",
        ),
        (r#"client_certificate = "client.pem""#, "client_key"),
        (
            "reload_client_certificate = true",
            "give client_certificate and client_key",
        ),
        (r#"store = "elsewhere:""#, "store"),
        (r#"store_keys = "keys""#, "store_keys"),
        (r#"store_roots = ["roots.pem"]"#, "store_roots"),
        (r#"store_timeout = "6ms""#, "store_timeout"),
        ("[limits]\ntotal_age = 0", "total_age is 0"),
        (
            "store = \"memory:\"\nstore_timeout = \"31s\"",
            "store_timeout (31s) is above timeout (30s)",
        ),
    ] {
        assert_rejected::<B>(text, says);
    }
}

pub(crate) fn memory_is_a_store_for_every_backend<B: Backend>() {
    let text = "store = \"memory:\"\nstore_keys = \"/nowhere/at/all\"\nstore_timeout = \"20ms\"";
    let config = toml(text).expect("known keys");
    assert!(Connector::<B>::from_config(&config).is_ok());
}

/// Later calls of the builder change it again.
pub(crate) fn a_configuration_replaces_what_was_set_before<B: Backend>() {
    let nobody = PrivateKeyDer::Pkcs8(vec![1].into());
    // Each setting before `config` would make `build` fail if it stayed.
    for text in ["early_data = true", r#"alpn = ["h2", "http/1.1"]"#] {
        let before = Connector::<B>::builder()
            .roots_pem_file("/nowhere/at/all.pem")
            .client_certificate(vec![vec![1].into()], nobody.clone_key())
            .alpn([b"h2".to_vec(), b"http/1.1".to_vec()])
            .protocols([])
            .limits(Limits::default().with_sessions_per_server(0))
            .never_resume(["no host"])
            .early_data(true);
        let built = before.config(&toml(text).unwrap()).expect("files").build();
        assert!(built.is_ok(), "{text}: {}", built.unwrap_err());
    }
    let after = Connector::<B>::builder().config(&Config::default());
    let after = after.expect("no files").protocols([]).build();
    assert_eq!(after.unwrap_err().kind(), ErrorKind::Config);
}

pub(crate) fn client_certificates_are_sent_and_sessions_resumed<B: Backend>() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let client = authority.issue_client("client");
    let folder = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let settings = ServerSettings {
        protocols: vec![Protocol::Tls13],
        client_root: Some(authority.root_der()),
        ..ServerSettings::new(authority.issue(&["localhost"]))
    };
    let server = TcpServer::start(Server::new(Library::Rustls, &settings)).expect("a port");
    let text = format!(
        "roots = [{:?}]\nclient_certificate = {:?}\nclient_key = {:?}",
        file("roots.pem", authority.root_pem()),
        file("client.pem", client.chain_pem()),
        file("client.key", client.key_pem()),
    );
    let connector = Connector::<B>::from_config(&toml(&text).unwrap()).expect("valid settings");
    for expected in [Resumption::Full, Resumption::Resumed] {
        let mut stream = connector
            .connect("localhost", server.port())
            .expect("connected");
        stream
            .wait_for_tickets(Duration::from_secs(10))
            .expect("a wait");
        assert_eq!(stream.resumption(), expected);
    }
    let facts = server.wait_for_handshakes(2, Duration::from_secs(10));
    assert!(facts.iter().all(|facts| facts.client_certificate));
}

/// R38.
pub(crate) fn client_certificates_are_read_again<B: Backend>() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let settings = ServerSettings {
        client_root: Some(authority.root_der()),
        ..ServerSettings::new(authority.issue(&["localhost"]))
    };
    let server = TcpServer::start(Server::new(Library::Rustls, &settings)).expect("a port");
    let folder = tempfile::tempdir().expect("a directory");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let issue = || {
        let identity = authority.issue_client("client");
        fs::write(path("client.pem"), identity.chain_pem()).expect("a file");
        fs::write(path("client.key"), identity.key_pem()).expect("a file");
        identity
    };
    fs::write(path("roots.pem"), authority.root_pem()).expect("a file");
    let text = format!(
        "roots = [{:?}]\nclient_certificate = {:?}\nclient_key = {:?}\n\
         reload_client_certificate = true",
        path("roots.pem"),
        path("client.pem"),
        path("client.key"),
    );
    let mut identity = issue();
    let connector = Connector::<B>::from_config(&toml(&text).unwrap()).expect("valid settings");
    for count in 1..=4 {
        let connected = connector.connect("localhost", server.port());
        let mut stream = connected.expect("a connection");
        stream
            .wait_for_tickets(Duration::from_secs(10))
            .expect("a wait");
        let seen = server.wait_for_handshakes(count, Duration::from_secs(10));
        let seen = seen.last().expect("a handshake");
        assert_eq!(seen.client_leaf.as_deref(), Some(&identity.chain[0][..]));
        assert_eq!(seen.resumed, count % 2 == 0);
        if count == 2 {
            identity = issue();
            std::thread::sleep(Duration::from_millis(1_100));
        }
    }
}

#[cfg(feature = "rustls")]
#[test]
fn rustls_rejects_stores_with_a_tier() {
    let says = if cfg!(feature = "shared") {
        "cannot leave the memory"
    } else {
        "the feature lmdb"
    };
    for store in ["lmdb:sessions", "redis://localhost", ""] {
        assert_rejected::<tls_resume::rustls::Rustls>(&format!("store = {store:?}"), says);
    }
}

#[cfg(all(feature = "openssl", not(feature = "shared")))]
#[test]
fn stores_that_are_not_compiled_in_are_rejected() {
    let text = r#"store = "lmdb:sessions""#;
    assert_rejected::<tls_resume::openssl::OpenSsl>(text, "the feature lmdb");
}

#[cfg(feature = "lmdb")]
fn a_store_is_opened_with_its_keys<B: tls_resume::Shareable>() {
    let folder = tempfile::tempdir().expect("a directory");
    let (place, keys) = (folder.path().join("sessions"), folder.path().join("keys"));
    let text = format!(
        "store = \"lmdb:{}\"\nstore_keys = \"{}\"\nstore_timeout = \"20ms\"",
        place.display(),
        keys.display()
    );
    let config = toml(&text).unwrap();
    let connector = Connector::<B>::from_config(&config).expect("valid settings");
    assert!(connector.tier_stats().is_some());
    assert!(keys.exists() && place.exists());

    let before = Connector::<B>::builder().store("elsewhere:");
    let memory = before.config(&Config::default()).expect("no files").build();
    assert!(memory.expect("valid settings").tier_stats().is_none());
}

#[cfg(all(feature = "openssl", feature = "lmdb"))]
#[test]
fn a_store_of_openssl_is_opened_with_its_keys() {
    a_store_is_opened_with_its_keys::<tls_resume::openssl::OpenSsl>();
}

#[cfg(all(feature = "rustls-preview", feature = "lmdb"))]
#[test]
fn a_store_of_the_preview_is_opened_with_its_keys() {
    a_store_is_opened_with_its_keys::<tls_resume::rustls_preview::RustlsPreview>();
}
