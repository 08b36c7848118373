//! The pool of client configurations and handles.

use std::sync::Arc;

use backend_rustls::ConfigPool;
use lab::server::{Library, Protocol};

use super::fixture::Fixture;

fn pool(fixture: &Fixture) -> ConfigPool {
    ConfigPool::new(fixture.config.clone(), fixture.sessions.clone())
}

/// R2: a handle is for one connection only.
#[test]
fn a_configuration_or_handle_still_in_use_is_not_reused() {
    let fixture = Fixture::new(Library::Rustls, Protocol::Tls13);
    let configs = pool(&fixture);

    let pooled = configs.connection(&fixture.key());
    let kept = pooled.config();
    drop(pooled);
    let pooled = configs.connection(&fixture.key());
    assert!(!Arc::ptr_eq(&kept, &pooled.config()));
    let handle = Arc::clone(pooled.handle());
    drop(pooled);
    let pooled = configs.connection(&fixture.key());
    assert!(!Arc::ptr_eq(&handle, pooled.handle()));
    drop(kept);
    assert_eq!(Arc::strong_count(&handle), 1);
}

#[test]
fn a_configuration_is_reused_for_any_key() {
    let fixture = Fixture::new(Library::Rustls, Protocol::Tls13);
    let configs = pool(&fixture);

    let pooled = configs.connection(&fixture.key());
    let address = Arc::as_ptr(&pooled.config());
    drop(pooled);
    let pooled = configs.connection(fixture.key().as_key().with_port(1));
    assert_eq!(Arc::as_ptr(&pooled.config()), address);
    drop(pooled);
    let pooled = configs.clone().connection(&fixture.key());
    assert_eq!(Arc::as_ptr(&pooled.config()), address);
    assert!(!pooled.offered());
    assert_eq!(pooled.tickets(), 0);
}

/// R26: neither the earlier use of a configuration nor the pool's own configuration turns early data
/// on.
#[test]
fn early_data_is_for_one_connection() {
    let fixture = Fixture::new(Library::Rustls, Protocol::Tls13);
    let mut config = fixture.config.clone();
    config.enable_early_data = true;
    let configs = ConfigPool::new(config, fixture.sessions.clone());
    assert!(!configs.config().enable_early_data);

    for _ in 0..2 {
        let pooled = configs.connection_for_early_data(&fixture.key());
        let address = Arc::as_ptr(&pooled.config());
        assert!(pooled.config().enable_early_data);
        drop(pooled);
        let pooled = configs.connection(&fixture.key());
        assert_eq!(Arc::as_ptr(&pooled.config()), address);
        assert!(!pooled.config().enable_early_data);
    }
}

#[test]
fn the_pool_keeps_16_idle_configurations() {
    let fixture = Fixture::new(Library::Rustls, Protocol::Tls13);
    let configs = pool(&fixture);
    let connect = |_| configs.connection(&fixture.key());
    let pooled: Vec<_> = (0..64).map(connect).collect();
    let resolver = Arc::clone(&fixture.config.client_auth_cert_resolver);
    let before = Arc::strong_count(&resolver);
    drop(pooled);
    // Each configuration holds a reference: all but 16 were dropped.
    assert_eq!(before - Arc::strong_count(&resolver), 64 - 16);
}
