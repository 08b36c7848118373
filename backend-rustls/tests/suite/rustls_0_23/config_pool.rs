//! The pool of client configurations.

use std::sync::Arc;

use backend_rustls::ConfigPool;
use lab::server::{Library, Protocol};

use super::fixture::Fixture;

/// R2: a handle is for one connection only.
#[test]
fn a_configuration_still_in_use_is_not_reused() {
    let fixture = Fixture::new(Library::Rustls, Protocol::Tls13);
    let configs = ConfigPool::new(fixture.config.clone());
    let (one, other) = (fixture.connection(), fixture.connection());

    let pooled = configs.get(Some(&one));
    let kept = pooled.config();
    drop(pooled);
    let pooled = configs.get(Some(&other));
    assert!(!Arc::ptr_eq(&kept, &pooled.config()));
    assert_eq!(Arc::strong_count(&one), 2);
    drop(kept);
    assert_eq!(Arc::strong_count(&one), 1);
}

#[test]
fn a_configuration_is_reused_without_its_earlier_handle() {
    let fixture = Fixture::new(Library::Rustls, Protocol::Tls13);
    let configs = ConfigPool::new(fixture.config.clone());
    let (one, other) = (fixture.connection(), fixture.connection());

    let pooled = configs.get(Some(&one));
    let address = Arc::as_ptr(&pooled.config());
    drop(pooled);
    assert_eq!(Arc::strong_count(&one), 1);
    // Also if the next connection has no handle.
    let pooled = configs.get(None);
    assert_eq!(Arc::as_ptr(&pooled.config()), address);
    drop(pooled);
    let pooled = configs.clone().get(Some(&other));
    assert_eq!(Arc::as_ptr(&pooled.config()), address);
    assert_eq!(Arc::strong_count(&one), 1);
    assert_eq!(Arc::strong_count(&other), 2);
}

/// R26: neither the earlier use of a configuration nor the pool's own configuration turns early data
/// on.
#[test]
fn early_data_is_for_one_connection() {
    let fixture = Fixture::new(Library::Rustls, Protocol::Tls13);
    let mut config = fixture.config.clone();
    config.enable_early_data = true;
    let configs = ConfigPool::new(config);
    let connection = fixture.connection();

    for _ in 0..2 {
        let pooled = configs.get_for_early_data(&connection);
        let address = Arc::as_ptr(&pooled.config());
        assert!(pooled.config().enable_early_data);
        drop(pooled);
        for handle in [Some(&connection), None] {
            let pooled = configs.get(handle);
            assert_eq!(Arc::as_ptr(&pooled.config()), address);
            assert!(!pooled.config().enable_early_data);
        }
    }
}

#[test]
fn the_pool_keeps_16_idle_configurations() {
    let fixture = Fixture::new(Library::Rustls, Protocol::Tls13);
    let configs = ConfigPool::new(fixture.config.clone());
    let pooled: Vec<_> = (0..64).map(|_| configs.get(None)).collect();
    let resolver = Arc::clone(&fixture.config.client_auth_cert_resolver);
    let before = Arc::strong_count(&resolver);
    drop(pooled);
    // Each configuration holds a reference: all but 16 were dropped.
    assert_eq!(before - Arc::strong_count(&resolver), 64 - 16);
}
