//! Configurations that are lent to one connection after the other.

use std::sync::Arc;

use backend_rustls::ConfigPool;
use lab::server::{Library, Protocol};

use super::world::World;

/// R2: one handle is one connection's, whatever becomes of the configuration that it rode in.
#[test]
fn a_configuration_that_is_still_in_use_is_not_lent_again() {
    let world = World::new(Library::Rustls, Protocol::Tls13);
    let configs = ConfigPool::new(world.config.clone());
    let (one, other) = (world.connection(), world.connection());

    let lent = configs.get(Some(&one));
    let kept = lent.config();
    drop(lent);
    let lent = configs.get(Some(&other));
    assert!(!Arc::ptr_eq(&kept, &lent.config()));
    assert_eq!(Arc::strong_count(&one), 2);
    drop(kept);
    assert_eq!(Arc::strong_count(&one), 1);
}

#[test]
fn a_configuration_is_lent_again_without_the_handle_that_was_in_it() {
    let world = World::new(Library::Rustls, Protocol::Tls13);
    let configs = ConfigPool::new(world.config.clone());
    let (one, other) = (world.connection(), world.connection());

    let lent = configs.get(Some(&one));
    let address = Arc::as_ptr(&lent.config());
    drop(lent);
    assert_eq!(Arc::strong_count(&one), 1);
    // Whatever is asked of a configuration without a handle, it has none.
    let lent = configs.get(None);
    assert_eq!(Arc::as_ptr(&lent.config()), address);
    drop(lent);
    let lent = configs.clone().get(Some(&other));
    assert_eq!(Arc::as_ptr(&lent.config()), address);
    assert_eq!(Arc::strong_count(&one), 1);
    assert_eq!(Arc::strong_count(&other), 2);
}

/// R26: who is lent it next is not asked for early data by who had it before, nor by the
/// configuration that all of them are made of.
#[test]
fn early_data_is_for_one_connection() {
    let world = World::new(Library::Rustls, Protocol::Tls13);
    let mut config = world.config.clone();
    config.enable_early_data = true;
    let configs = ConfigPool::new(config);
    let connection = world.connection();

    for _ in 0..2 {
        let lent = configs.get_for_early_data(&connection);
        let address = Arc::as_ptr(&lent.config());
        assert!(lent.config().enable_early_data);
        drop(lent);
        for handle in [Some(&connection), None] {
            let lent = configs.get(handle);
            assert_eq!(Arc::as_ptr(&lent.config()), address);
            assert!(!lent.config().enable_early_data);
        }
    }
}

/// A burst leaves no more behind than a few.
#[test]
fn not_all_are_kept() {
    let world = World::new(Library::Rustls, Protocol::Tls13);
    let configs = ConfigPool::new(world.config.clone());
    let lent: Vec<_> = (0..64).map(|_| configs.get(None)).collect();
    let resolver = Arc::clone(&world.config.client_auth_cert_resolver);
    let before = Arc::strong_count(&resolver);
    drop(lent);
    // Each of them holds one: the others are gone.
    assert_eq!(before - Arc::strong_count(&resolver), 64 - 16);
}
