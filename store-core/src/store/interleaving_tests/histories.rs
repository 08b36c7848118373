//! What is remembered of failed handshakes: R28, R29, R31.

use super::*;
use crate::sync::Mutex;
use crate::tier::{Standing, TierAccess};
use crate::{Generation, Want};

const HOST: &str = "a";

fn avoided(rested: bool) -> Standing {
    Standing::Avoided {
        until: at(600),
        times: 1,
        rested,
    }
}

/// The standing of the server; good if there is nothing of it.
fn standing(store: &Store) -> Standing {
    let key = key(HOST);
    let hashed = store.hashed(&key);
    let shard = store.shards.get(hashed.hash);
    let standing = shard.and_then(|shard| shard.lock().standing(&hashed));
    standing.unwrap_or(Standing::Good)
}

fn put_all(store: &Store, sessions: u64) {
    for number in 0..sessions {
        put(store, HOST, Usage::SingleUse, number).expect("stored");
    }
}

/// Connects to a server at which an offer ends as `offered`, and a handshake without one succeeds. Returns
/// whether a session was offered.
fn connect(store: &Store, offered: Outcome) -> bool {
    connect_then(store, offered, |_| {})
}

/// The same; before the store learns how the handshake ended, `seen` does.
fn connect_then(store: &Store, offered: Outcome, seen: impl FnOnce(Outcome)) -> bool {
    let start = store.begin(&key(HOST), Want::Any, at(0), |_| true);
    let offers = start.offer.is_some();
    let outcome = if offers { offered } else { Outcome::Full };
    seen(outcome);
    store.finish(&key(HOST), &start.begun, Some(outcome), None, None, at(0));
    offers
}

/// However many offers were on their way, they count as one failure.
fn offers_that_fail_at_once(outcome: Outcome) {
    let store = small(4);
    put_all(&store, 12);
    let fulls = Arc::new(AtomicU64::new(0));
    let workers = [(), ()].map(|()| {
        let fulls = Arc::clone(&fulls);
        spawn(&store, move |store| {
            let mut in_a_row = 0;
            for _ in 0..3 {
                let failed = connect_then(store, outcome, |ended| {
                    fulls.fetch_add(u64::from(ended == Outcome::Full), Ordering::SeqCst);
                });
                in_a_row = if failed { in_a_row + 1 } else { 0 };
                // The second one may begin while the other thread's connection without an offer is on its way.
                let is_known = in_a_row < 3 || fulls.load(Ordering::SeqCst) > 0;
                assert!(is_known, "three in a row, and no full handshake");
            }
        })
    });
    workers.into_iter().for_each(join);
    let failed: Vec<bool> = (0..5).map(|_| connect(&store, outcome)).collect();
    let twice = failed.windows(2).any(|pair| pair[0] && pair[1]);
    assert!(!twice, "{failed:?}");
    assert_eq!(standing(&store), avoided(true), "{failed:?}");
    assert_adds_up(&store.stats());
}

#[test]
fn offers_that_fail_at_once_are_one_failure() {
    explore(|| {
        offers_that_fail_at_once(Outcome::Failed);
        offers_that_fail_at_once(Outcome::Broken);
    });
}

/// R31: a healthy server of which one connection is cut keeps its sessions, and is not avoided.
#[test]
fn one_failure_among_successes_avoids_nothing() {
    explore(|| {
        let store = small(4);
        put_all(&store, 6);
        let cut = spawn(&store, |store| connect(store, Outcome::Failed));
        let workers = [(), ()].map(|()| {
            spawn(&store, |store| {
                for _ in 0..2 {
                    connect(store, Outcome::Resumed);
                }
            })
        });
        join(cut);
        workers.into_iter().for_each(join);
        let left = store.stats().sessions;
        assert!(left >= 1, "one for each connection at most");
        assert_ne!(standing(&store), avoided(false));
        assert_ne!(standing(&store), avoided(true));
        connect(&store, Outcome::Resumed); // perhaps the one that shows that the server works
        put_all(&store, 1);
        assert!(connect(&store, Outcome::Resumed));
        assert_eq!(standing(&store), Standing::Good);
        assert_adds_up(&store.stats());
    });
}

/// What another process tells is learnt before the first connection, or not at all.
#[test]
fn what_is_known_here_stands() {
    explore(|| {
        let store = small(4);
        let tier = spawn(&store, |store| store.learn(&key(HOST), avoided(false)));
        let connection = spawn(&store, |store| {
            put_all(store, 2);
            connect(store, Outcome::Failed)
        });
        join(tier);
        let expected = if join(connection) {
            Standing::Failed
        } else {
            avoided(true)
        };
        assert_eq!(standing(&store), expected);
    });
}

/// Remembers the last standing that it was told.
#[derive(Default)]
struct LastTold(Mutex<Option<Standing>>);

impl LastTold {
    fn get(&self) -> Standing {
        let told = *self.0.lock().expect("no panic");
        told.unwrap_or(Standing::Good)
    }
}

impl StoreObserver for LastTold {
    fn standing(&self, _: KeyRef<'_>, standing: Standing) {
        *self.0.lock().expect("no panic") = Some(standing);
    }

    fn stored(&self, _: KeyRef<'_>, _: Usage) {}
    fn missed(&self, _: KeyRef<'_>) {}
    fn revoked(&self, _: KeyRef<'_>, _: Generation) {}
    fn domain_cleared(&self, _: &SecurityDomain, _: Generation) {}
    fn cleared(&self, _: Generation) {}
}

/// Connections, and `other`, change the standing of one server at once.
fn standings_are_told_in_order(other: fn(&Store)) {
    let observer = Arc::new(LastTold::default());
    let limits = Limits::default().with_servers(4);
    let store = SessionStore::with_observer(limits, Arc::<LastTold>::clone(&observer));
    let store = Arc::new(store.expect("valid limits"));
    put_all(&store, 4);
    let connections = [Outcome::Failed, Outcome::Resumed].map(|outcome| {
        spawn(&store, move |store| {
            for _ in 0..2 {
                connect(store, outcome);
            }
        })
    });
    let other = spawn(&store, other);
    connections.into_iter().for_each(join);
    join(other);
    assert_eq!(observer.get(), standing(&store));
}

/// A tier that stores the last standing stores the one that holds.
#[test]
fn the_last_standing_told_is_the_newest() {
    explore(|| {
        standings_are_told_in_order(|store| {
            connect(store, Outcome::Broken);
        });
        standings_are_told_in_order(clear_server);
    });
}
