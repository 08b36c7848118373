//! The simulated fleet.

use std::time::Duration;

use peers::fleet::scenarios::{self, Plan};
use peers::fleet::{
    Addresses, Failure, Measured, Outage, Restart, STORE_TIMEOUT, Scenario, Tickets, simulate,
};

fn small() -> Scenario {
    Scenario {
        machines: 20,
        rate: 2.0,
        servers: 20,
        tickets: Tickets {
            after_full: 2,
            after_resumed: 1,
            reuse: false,
        },
        addresses: Addresses::SharedKeys,
        has_tier: true,
        warm_up: Duration::from_secs(10),
        measured: Duration::from_secs(30),
        outage: None,
        restart: None,
        seed: 1,
    }
}

fn without_tier(scenario: &Scenario) -> Measured {
    simulate(&Scenario {
        has_tier: false,
        ..scenario.clone()
    })
}

/// The stores hash with other secrets, and the tables are the same.
#[test]
fn the_same_seed_gives_the_same_tables() {
    let [one, again, other] = [1, 1, 2].map(|seed| scenarios::run(&Plan::small(seed), &mut |_| {}));
    let text = |results: &scenarios::Results| {
        let tables = results.tables.iter().map(ToString::to_string);
        tables.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(text(&one), text(&again));
    assert_eq!(one, again);
    assert_ne!(one, other, "the seed decides");
}

/// R7: by the servers' own count.
#[test]
fn machines_that_share_resume_more_and_use_no_ticket_twice() {
    let shared = simulate(&small());
    let alone = without_tier(&small());
    assert_eq!((shared.used_twice, alone.used_twice), (0, 0));
    assert_eq!(alone.all().calls, 0);
    assert!(shared.all().calls > 0);
    assert!(shared.all().rate() > 0.95, "{:?}", shared.all());
    assert!(
        shared.all().rate() > alone.all().rate() + 0.1,
        "{:?}",
        alone.all()
    );
}

/// R20: an outage costs full handshakes; no connection waits for longer than it is allowed to.
#[test]
fn an_outage_ends_and_sharing_begins_again() {
    for failure in [Failure::Crash, Failure::Hang] {
        let measured = simulate(&Scenario {
            outage: Some(Outage {
                at: Duration::from_secs(15),
                lasts: Duration::from_secs(10),
                failure,
            }),
            ..small()
        });
        let during = measured.between(15, 25);
        let after = measured.between(35, 40);
        assert!(
            during.rate() < after.rate(),
            "{failure:?}: {during:?}, {after:?}"
        );
        assert!(after.rate() > 0.95, "{failure:?}: {after:?}");
        assert!(during.calls < 200, "the breakers pause calls: {during:?}");
        assert_eq!(measured.used_twice, 0);
        let most = STORE_TIMEOUT.as_secs_f64() * 1_000.0;
        assert!(measured.wait_ms(1.0) <= most, "{}", measured.wait_ms(1.0));
    }
}

/// Each process writes its sessions to the tier when it ends, and the next one takes them.
#[test]
fn a_rolling_restart_keeps_the_sessions_of_machines_that_share() {
    let restart = Scenario {
        restart: Some(Restart {
            at: Duration::from_secs(15),
            lasts: Duration::from_secs(10),
            away: Duration::from_secs(1),
        }),
        ..small()
    };
    let shared = simulate(&restart);
    let alone = without_tier(&restart);
    let (during, lost) = (shared.between(15, 25), alone.between(15, 25));
    assert!(during.rate() > 0.9, "{during:?}");
    assert!(lost.rate() < during.rate() - 0.2, "{lost:?}");
    assert_eq!(shared.used_twice, 0);
}

#[test]
fn a_ticket_that_may_be_reused_serves_all_machines() {
    let tickets = |reuse| Tickets {
        after_full: 1,
        after_resumed: 0,
        reuse,
    };
    let [once, reused] = [false, true].map(|reuse| {
        simulate(&Scenario {
            tickets: tickets(reuse),
            ..small()
        })
    });
    assert!(
        once.all().rate() <= 0.5,
        "each second handshake is full: {:?}",
        once.all()
    );
    assert!(reused.all().rate() > 0.95, "{:?}", reused.all());
    assert!(reused.all().calls < once.all().calls);
}

/// R40. What the tier has is not chosen by its address: there, machines with keys of their own are stored
/// each by itself.
#[test]
fn machines_with_own_keys_resume_if_they_are_told_apart() {
    let rate = |addresses, has_tier| {
        let measured = simulate(&Scenario {
            addresses,
            has_tier,
            ..small()
        });
        assert_eq!(measured.used_twice, 0);
        measured.all().rate()
    };
    let [hidden, known, named] = [Addresses::Hidden, Addresses::Known, Addresses::Named];
    assert!(rate(known(4), false) > rate(hidden(4), false));
    assert!(rate(named(4), true) > rate(hidden(4), true) + 0.2);
}
