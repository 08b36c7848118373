//! What is revoked does not come back, by whatever way.

use super::*;

/// R4: what a connection stored is revoked wherever it is.
#[test]
fn what_is_revoked_does_not_come_back() {
    let place = Place::default();
    let one = store(&place, quick());
    let id = put(&one, "a", Usage::SingleUse, 1);
    put(&one, "a", Usage::SingleUse, 2);
    put(&one, "b", Usage::SingleUse, 3);
    assert!(one.flush(LONG));
    assert_eq!(place.held(), 3);
    assert!(!one.memory().remove(&key("a"), id), "it is not in memory");
    assert!(!one.prefetch(&key("a"), LONG));
    assert!(one.prefetch(&key("b"), LONG));
}

/// R22: at once, whatever the tier does.
#[test]
fn what_is_cleared_does_not_come_back_though_the_tier_cannot_be_told() {
    let place = Place::default();
    let one = store(&place, quick());
    put(&one, "a", Usage::SingleUse, 1);
    put(&one, "b", Usage::SingleUse, 2);
    assert!(one.flush(LONG));
    place.set(|kept| kept.fails = Some(TierError::NotApplied("down".into())));
    one.memory().clear_server(&key("a"));
    until(|| one.tier_stats().resting);
    one.memory().clear();
    place.set(|kept| kept.fails = None);
    until(|| !one.tier_stats().resting);
    assert!(!one.prefetch(&key("a"), LONG));
    assert!(!one.prefetch(&key("b"), LONG));
    assert_eq!(place.held(), 0);
}

/// A session that is on its way when its server is cleared does not arrive.
#[test]
fn what_is_cleared_on_its_way_does_not_arrive() {
    let place = Place::default();
    let one = store(&place, quick());
    put(&one, "a", Usage::SingleUse, 1);
    assert!(one.flush(LONG));
    place.set(|kept| {
        kept.calls = 0;
        kept.hangs = true;
    });
    let fetch = one.fetch(&key("a"));
    place.wait_for_a_call();
    one.memory().clear_server(&key("a"));
    place.set(|kept| kept.hangs = false);
    fetch.wait(LONG);
    assert!(one.flush(LONG));
    assert_eq!(offered(&one, "a"), None);
    assert_eq!(place.held(), 0);
}

/// R9: a session that comes back is older than it looks, and goes with one that failed.
#[test]
fn a_failed_handshake_revokes_what_comes_back() {
    for in_flight in [false, true] {
        let place = Place::default();
        let one = store(&place, quick());
        for number in 1..=3 {
            put(&one, "a", Usage::SingleUse, number);
        }
        until(|| place.held() == 2);
        let offer = one.memory().offer(&key("a"), SystemClock.now()).unwrap();
        place.set(|kept| {
            kept.calls = 0;
            kept.hangs = in_flight;
        });
        let fetch = one.fetch(&key("a"));
        place.wait_for_a_call();
        if !in_flight {
            until(|| one.tier_stats().fetched == 1);
        }
        one.memory().remove_up_to(&key("a"), offer.id);
        place.set(|kept| kept.hangs = false);
        fetch.wait(LONG);
        assert!(one.flush(LONG));
        assert_eq!((offered(&one, "a"), place.held()), (None, 0));
    }
}

/// R4: not by way of another process either, which had it in its memory.
#[test]
fn what_is_revoked_does_not_come_back_by_another_process() {
    let place = Place::default();
    let (one, other) = (store(&place, quick()), store(&place, quick()));
    put(&one, "a", Usage::SingleUse, 1);
    put(&one, "a", Usage::SingleUse, 2);
    until(|| place.held() == 1);
    assert!(other.prefetch(&key("a"), LONG));
    one.memory().clear_server(&key("a"));
    assert!(one.flush(LONG));
    assert!(other.flush(LONG), "it brings back what it has");
    assert_eq!(place.held(), 1);
    assert!(!one.prefetch(&key("a"), LONG));
    assert_eq!(one.tier_stats().rejected_expired, 1);
    // What comes from a full handshake since is good.
    thread::sleep(Duration::from_millis(2));
    put(&other, "a", Usage::SingleUse, 3);
    assert!(other.flush(LONG));
    thread::sleep(Duration::from_millis(60)); // it was asked in vain just now
    assert!(one.prefetch(&key("a"), LONG));
}
