//! R20: with a store that does not work handshakes are full, and all mail is delivered.

use examples::mta::Delivery;
use lab::tcp::free_port;

use super::common::{Fixture, redis, signal, workers};
use super::hung::Hung;

/// Delivers ten mails by a process each; the number of resumed connections.
fn resumed(fixture: &Fixture, store: &str) -> usize {
    let deliveries = workers(4).run(&fixture.job(store).split(10));
    let deliveries: Vec<Delivery> = deliveries
        .expect("mail is delivered")
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(deliveries.len(), 10);
    deliveries
        .iter()
        .filter(|delivery| delivery.resumed)
        .count()
}

#[test]
fn mail_is_delivered_without_redis() {
    let fixture = Fixture::new(1);
    let nobody = format!("redis://127.0.0.1:{}", free_port().expect("a port"));
    assert_eq!(resumed(&fixture, &nobody), 0);
}

#[test]
fn mail_is_delivered_while_redis_hangs() {
    let fixture = Fixture::new(1);
    let redis = redis();
    resumed(&fixture, &redis.url());
    signal("-STOP", redis.id());
    assert_eq!(resumed(&fixture, &redis.url()), 0);
    signal("-CONT", redis.id());
    assert!(resumed(&fixture, &redis.url()) > 0, "it works again");
}

#[test]
fn mail_is_delivered_while_a_process_holds_the_lock_of_lmdb() {
    let fixture = Fixture::new(1);
    resumed(&fixture, &fixture.lmdb());
    let hung = Hung::in_store(&fixture.path("sessions"));
    assert_eq!(resumed(&fixture, &fixture.lmdb()), 0);
    drop(hung);
    assert!(resumed(&fixture, &fixture.lmdb()) > 0, "it works again");
}
