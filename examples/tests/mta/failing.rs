//! R20: a store that does not work costs full handshakes, and no mail.

use examples::mta::Delivery;
use lab::redis::free_port;

use crate::common::{Town, crew, redis, signal};
use crate::hung::Hung;

/// Has ten mails delivered by a process each; how many of their connections were resumed.
fn resumed(town: &Town, store: &str) -> usize {
    let told = crew(4).deliver(&town.orders(store).split(10));
    let told: Vec<Delivery> = told.expect("mail goes out").into_iter().flatten().collect();
    assert_eq!(told.len(), 10);
    told.iter().filter(|delivery| delivery.resumed).count()
}

#[test]
fn a_redis_that_is_down() {
    let town = Town::with(1);
    let nobody = format!("redis://127.0.0.1:{}", free_port().expect("a port"));
    assert_eq!(resumed(&town, &nobody), 0);
}

#[test]
fn a_redis_that_hangs() {
    let town = Town::with(1);
    let redis = redis();
    resumed(&town, &redis.url());
    signal("-STOP", redis.id());
    assert_eq!(resumed(&town, &redis.url()), 0);
    signal("-CONT", redis.id());
    assert!(resumed(&town, &redis.url()) > 0, "it works again");
}

#[test]
fn a_process_that_hangs_with_the_lock_of_the_file() {
    let town = Town::with(1);
    resumed(&town, &town.lmdb());
    let hung = Hung::in_store(&town.path("sessions"));
    assert_eq!(resumed(&town, &town.lmdb()), 0);
    drop(hung);
    assert!(resumed(&town, &town.lmdb()) > 0, "it works again");
}
