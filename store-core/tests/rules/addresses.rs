//! Several addresses of one server: R40.

use std::net::{IpAddr, Ipv4Addr};

use store_core::{AddressId, Begun, LookUp, Outcome, SessionKey, SessionStore};

use crate::helpers::*;

fn address(number: u8) -> AddressId {
    IpAddr::from(Ipv4Addr::new(192, 0, 2, number)).into()
}

/// A server with several addresses, and a client that visits them.
struct Farm<'k> {
    store: SessionStore<Numbered>,
    key: &'k SessionKey,
    usage: store_core::Usage,
    /// The keys of each address. Those with the same number share them.
    keys: Vec<u64>,
    /// Whether a session is stored before the outcome is known.
    stores_first: bool,
    /// Sessions that a full handshake and a resumed one give.
    tickets: (u64, u64),
    resumed: usize,
    declined: usize,
}

impl<'k> Farm<'k> {
    fn new(key: &'k SessionKey, usage: store_core::Usage, keys: &[u64]) -> Self {
        Self {
            store: small(8),
            key,
            usage,
            keys: keys.to_vec(),
            stores_first: false,
            tickets: (2, 1),
            resumed: 0,
            declined: 0,
        }
    }

    fn begin(&self, at: usize) -> (Begun, Option<u64>) {
        let number = u8::try_from(at).expect("few addresses");
        let look_up = LookUp {
            address: Some(address(number)),
            ..Want::Any.into()
        };
        let begun = self.store.begin(self.key, look_up, start(), |_| true);
        (begun.begun, begun.offer.map(|it| it.entry.session.0))
    }

    /// A connection to an address. A session is the number of the keys that it was made with.
    fn visit(&mut self, at: usize) -> Outcome {
        let (begun, offered) = self.begin(at);
        let (keys, store) = (self.keys[at], &self.store);
        let outcome = match offered {
            None => Outcome::Full,
            Some(number) if number == keys => Outcome::Resumed,
            Some(_) => Outcome::Declined,
        };
        self.resumed += usize::from(outcome == Outcome::Resumed);
        self.declined += usize::from(outcome == Outcome::Declined);
        let report = || store.finish(self.key, &begun, Some(outcome), None, None, start());
        if !self.stores_first {
            report();
        }
        let tickets = match outcome {
            _ if self.usage == Reusable => 1,
            Outcome::Resumed => self.tickets.1,
            _ => self.tickets.0,
        };
        for _ in 0..tickets {
            let entry = entry(self.usage, keys);
            store.put(self.key, entry, begun, start()).expect("stored");
        }
        if self.stores_first {
            report();
        }
        outcome
    }

    /// Visits each address in turn, so often.
    fn rounds(&mut self, rounds: usize) {
        for _ in 0..rounds {
            for at in 0..self.keys.len() {
                self.visit(at);
            }
        }
    }
}

/// Whatever they share: after one visit an address, every connection resumes (after three, if the server
/// gives one ticket a connection), and those that share keys
/// need no full handshake but the first.
#[test]
fn each_address_resumes_after_two_visits() {
    let farms: [&[u64]; 7] = [
        &[1, 2],
        &[1, 2, 3],
        &[1, 2, 3, 4, 5, 6, 7, 8],
        &[1, 1, 2, 2],
        &[1, 2, 1, 2, 1, 2, 1, 2],
        &[1, 1, 1, 1, 2, 3, 4, 5],
        &[1; 8],
    ];
    for usage in [SingleUse, Reusable] {
        for keys in farms {
            for (tickets, stores_first) in [((2, 1), false), ((1, 1), false), ((1, 1), true)] {
                let key = key("farm");
                let mut farm = Farm::new(&key, usage, keys);
                (farm.tickets, farm.stores_first) = (tickets, stores_first);
                let rounds = if usage == SingleUse && tickets.0 == 1 {
                    3
                } else {
                    1
                };
                farm.rounds(rounds);
                let full = rounds * keys.len() - farm.resumed;
                (farm.resumed, farm.declined) = (0, 0);
                farm.rounds(10);
                let all = 10 * keys.len();
                let what = format!("{usage:?} {keys:?} {tickets:?} {stores_first}");
                assert_eq!((farm.resumed, farm.declined), (all, 0), "{what}");
                if keys.iter().all(|other| *other == keys[0]) {
                    assert_eq!(full, 1, "{what}");
                }
            }
        }
    }
}

/// With shared keys that change, one connection is declined, as with one address.
#[test]
fn shared_keys_that_change_cost_one_decline() {
    for usage in [SingleUse, Reusable] {
        for (count, stores_first) in [(2, false), (8, false), (8, true)] {
            let key = key("farm");
            let mut farm = Farm::new(&key, usage, &vec![1; count]);
            farm.stores_first = stores_first && usage == Reusable;
            farm.rounds(3);
            for rotation in 1..6 {
                farm.keys = vec![1 + rotation; count];
                (farm.resumed, farm.declined) = (0, 0);
                farm.rounds(4);
                let all = 4 * count;
                assert_eq!(
                    (farm.resumed, farm.declined),
                    (all - 1, 1),
                    "{usage:?} {count}"
                );
            }
        }
    }
}

/// A machine that leaves those that share keys resumes its own sessions after two declines.
#[test]
fn an_address_that_leaves_its_group_is_found_out() {
    for usage in [SingleUse, Reusable] {
        let key = key("farm");
        let mut farm = Farm::new(&key, usage, &[1; 4]);
        farm.rounds(2);
        farm.keys[2] = 2;
        farm.rounds(4);
        farm.declined = 0;
        farm.rounds(4);
        assert_eq!(farm.declined, 0, "{usage:?}");
    }
}

/// One connection whose address is not known leaves the sessions of the addresses.
#[test]
fn a_session_of_an_unknown_address_replaces_no_other() {
    let key = key("farm");
    let mut farm = Farm::new(&key, Reusable, &[1, 2, 3]);
    farm.rounds(2);
    for number in [8, 9] {
        put(&farm.store, &key, entry(Reusable, number), start()).expect("stored");
    }
    assert_eq!(farm.store.stats().sessions, 4);
    farm.declined = 0;
    farm.rounds(2);
    assert_eq!(farm.declined, 0);
}

/// A session is never used up at an address that is known to decline it.
#[test]
fn what_is_declined_is_not_offered() {
    let key = key("farm");
    let mut farm = Farm::new(&key, SingleUse, &[1, 2]);
    assert_eq!(farm.visit(0), Outcome::Full);
    assert_eq!(farm.visit(1), Outcome::Declined);
    // Those of the second address are used up.
    for _ in 0..2 {
        assert_eq!(farm.begin(1).1, Some(2));
    }
    assert_eq!(farm.begin(1).1, None);
    assert_eq!(farm.begin(0).1, Some(1));
}

/// An hour later it is tried again: keys may have changed.
#[test]
fn it_is_tried_again_after_an_hour() {
    let key = key("farm");
    let store = small(8);
    let look_up = |at| LookUp {
        address: Some(address(at)),
        ..Want::Any.into()
    };
    let long = |number| lives(SingleUse, number, 3 * HOUR, start());
    let begun = store.begin(&key, look_up(1), start(), |_| true).begun;
    for number in 1..4 {
        store
            .put(&key, long(number), begun, start())
            .expect("stored");
    }
    let other = store.begin(&key, look_up(2), start(), |_| true);
    assert!(other.offer.is_some() && other.begun.is_of_other_address());
    let declined = Some(Outcome::Declined);
    store.finish(&key, &other.begun, declined, None, None, start());
    for (seconds, offers) in [(HOUR - 1, false), (HOUR, true)] {
        let next = store.begin(&key, look_up(2), at(seconds), |_| true);
        assert_eq!(next.offer.is_some(), offers);
    }
}

/// A connection whose address is not known is offered any session.
#[test]
fn an_unknown_address_gets_any_session() {
    let key = key("farm");
    let mut farm = Farm::new(&key, SingleUse, &[1, 2]);
    farm.rounds(1);
    for expected in [2, 2, 1] {
        assert_eq!(offered(&farm.store, &key, start()), Some(expected));
    }
}

/// Declines that show which addresses share keys are no reason to offer less (R29).
#[test]
fn lessons_do_not_count_as_declines() {
    let key = key("farm");
    let keys: Vec<u64> = (1..13).collect();
    let mut farm = Farm::new(&key, SingleUse, &keys);
    farm.rounds(1);
    assert!(farm.declined >= 3, "{}", farm.declined);
    farm.rounds(2);
    assert_eq!(farm.store.stats().avoided, 0);
    assert_eq!(farm.resumed, 24);
}

/// R29: a server whose addresses decline everything, their own sessions, too, is offered few.
#[test]
fn a_server_that_declines_everything_is_asked_less() {
    let key = key("farm");
    let mut farm = Farm::new(&key, SingleUse, &[1, 2, 3]);
    for round in 0..100 {
        farm.keys = (0..3).map(|at| 10 * (round + 1) + at).collect();
        farm.rounds(1);
    }
    assert!(farm.declined < 60, "{} of 300", farm.declined);
}

/// R29: so is one that has another address all the time.
#[test]
fn a_server_of_ever_new_addresses_that_declines_everything_is_asked_less() {
    let (store, key) = (small(8), key("farm"));
    let mut declined = 0;
    for number in 1..=500 {
        let look_up = LookUp {
            address: AddressId::new(number),
            ..Want::Any.into()
        };
        let now = at(300 * u64::from(number));
        let begun = store.begin(&key, look_up, now, |_| true);
        let outcome = match begun.offer {
            Some(_) => Outcome::Declined,
            None => Outcome::Full,
        };
        declined += u32::from(outcome == Outcome::Declined);
        let new = Some(lives(SingleUse, u64::from(number), HOUR, now));
        store.finish(&key, &begun.begun, Some(outcome), None, new, now);
    }
    assert!(declined < 100, "{declined} of 500");
}

/// A reusable session of an address stays when another one, that declines it, gives its own.
#[test]
fn reusable_sessions_of_addresses_apart_stay_beside_each_other() {
    let key = key("farm");
    let mut farm = Farm::new(&key, Reusable, &[1, 2]);
    farm.rounds(1);
    assert_eq!(farm.store.stats().sessions, 2);
    farm.rounds(5);
    assert_eq!((farm.store.stats().sessions, farm.resumed), (2, 10));
    assert!(farm.store.remove_reusable(&key));
    assert_eq!(farm.store.stats().sessions, 0);
}
