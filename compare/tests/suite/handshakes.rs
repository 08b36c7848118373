//! The sections that make handshakes: `handshakes`, `burst` and the second half of `contention`.

use std::collections::HashSet;
use std::time::Duration;

use crate::table::terminal_text;
use compare::harness::{End, Fixture, Groups, Scenario, Stack, Store};
use compare::sections::{burst, handshake_threads, handshakes};
use lab::certificate::{Authority, KeyKind};
use lab::server::{Group, Library, Protocol};
use report::{BurstRow, HandshakeRow, Section};

/// The scenario of a row.
fn scenario(row: &HandshakeRow) -> [&str; 7] {
    [
        &row.provider,
        &row.server,
        &row.protocol,
        &row.key,
        &row.group,
        &row.offered,
        row.end.as_ref().unwrap(),
    ]
    .map(String::as_str)
}

/// The share of handshakes that must be resumed.
fn resumed_rate(row: &HandshakeRow) -> f64 {
    let spoiled = row.is_unclean() && row.backend == "openssl";
    match row.store.as_str() {
        "none" => 0.0,
        "in-hand" | "hyper-openssl" if spoiled => 0.0,
        _ => 1.0,
    }
}

#[test]
fn every_store_is_measured_in_every_scenario() {
    let plan = handshakes::Plan::short(1).with_rounds(1);
    let mut steps = 0;
    let rows = handshakes::measure(&plan, &mut |_| steps += 1);
    assert_eq!(steps, plan.steps());

    let errors: Vec<_> = handshakes::errors(&rows).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let wanted: usize = plan.cases.iter().map(|case| case.stores.len()).sum();
    assert_eq!(rows.len(), wanted);
    let distinct: HashSet<_> = rows.iter().map(|row| (scenario(row), &row.store)).collect();
    assert_eq!(distinct.len(), wanted);
    for row in &rows {
        assert_eq!(row.rounds, 7, "{row:?}");
        assert!(
            row.client_us.is_some() && row.server_us.is_some(),
            "{row:?}"
        );
        assert!(row.bytes_in > 0 && row.bytes_out > 0, "{row:?}");
        assert!(row.cipher.starts_with("TLS_"), "{row:?}");
        let rate = row.resumed_rate.unwrap();
        assert!((rate - resumed_rate(row)).abs() < f64::EPSILON, "{row:?}");
        assert_eq!(row.kind == "full", rate < 0.5, "{row:?}");
        let spoiled = row.is_unclean() && row.backend == "openssl";
        let compared = row.store != "none" && row.store != "in-hand" && !spoiled;
        for number in [
            row.whole_ns,
            row.whole_ns_low,
            row.whole_ns_high,
            row.store_ns,
            row.store_ns_low,
            row.store_ns_high,
            row.ratio_to_in_hand,
        ] {
            assert_eq!(number.is_some(), compared, "{row:?}");
        }
        if compared {
            assert!(row.store_ns_low <= row.store_ns && row.store_ns <= row.store_ns_high);
            assert!(row.whole_ns_low <= row.whole_ns && row.whole_ns <= row.whole_ns_high);
        }
    }
    // The certificates are what resumption saves on the wire.
    for full in rows.iter().filter(|row| row.kind == "full") {
        for resumed in rows.iter().filter(|row| scenario(row) == scenario(full)) {
            let saves = resumed.bytes_in + 1_000 < full.bytes_in;
            assert_eq!(saves, resumed.kind == "resumed", "{resumed:?}");
        }
    }
    terminal_text(Section::Handshakes, |report| report.handshakes = rows);
}

#[test]
fn both_plans_have_cases_of_every_kind() {
    for plan in [handshakes::Plan::short(1), handshakes::Plan::full(1)] {
        let cases = &plan.cases;
        for client in Stack::MAIN {
            for protocol in Protocol::ALL {
                for server in Library::ALL {
                    let found = cases.iter().find(|case| {
                        let scenario = case.scenario;
                        (scenario.client, scenario.protocol, scenario.server)
                            == (client, protocol, server)
                    });
                    let measured = &found.unwrap().stores;
                    for store in Store::all_for(client.library()) {
                        let renewed = protocol == Protocol::Tls12 && server == Library::Rustls;
                        let missing = renewed && *store == Store::HyperOpenssl;
                        assert_eq!(measured.contains(store), !missing, "{store}");
                    }
                }
            }
        }
        for client in [Stack::Ring, Stack::Graviola] {
            let found = cases.iter().any(|case| case.scenario.client == client);
            assert_eq!(found, client.supports(Group::X25519));
        }
        let unclean = cases
            .iter()
            .filter(|case| case.scenario.end == End::Unclean);
        assert_eq!(unclean.count(), Stack::MAIN.len() * Protocol::ALL.len());
        let hinted = cases.iter().filter(|case| {
            case.scenario.end != End::Unclean && !case.stores.contains(&Store::None)
        });
        let hybrid = Library::OpenSsl.supports(Group::X25519MlKem768);
        assert_eq!(hinted.count(), 2 + usize::from(hybrid));
    }
    let keys = |plan: handshakes::Plan| {
        let keys = plan.cases.iter().map(|case| case.scenario.key);
        keys.collect::<HashSet<_>>().len()
    };
    assert_eq!(keys(handshakes::Plan::full(1)), KeyKind::ALL.len());
}

/// The client's bytes show a second `ClientHello` and the number of key shares.
#[test]
fn a_known_group_saves_a_round_trip_and_a_key_share() {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let sent = |groups, store| {
        let main = Scenario::new(Stack::OpenSsl, Protocol::Tls13);
        let fixture = Fixture::new(Scenario { groups, ..main }, &authority);
        let client = fixture.client(store).unwrap();
        client.handshake().unwrap(); // stores the hint
        client.handshake().unwrap().bytes_out
    };
    let groups = Groups::DefaultTo(Group::P256);
    let (unknown, known) = (sent(groups, Store::InHand), sent(groups, Store::TlsResume));
    assert!(known * 2 < unknown, "{known} {unknown}");
    let pinned = sent(Groups::First(Group::X25519), Store::TlsResume);
    let groups = Groups::DefaultTo(Group::X25519);
    let hinted = sent(groups, Store::TlsResume);
    assert!(hinted.abs_diff(pinned) < 20, "{hinted} {pinned}");
}

#[test]
fn a_burst_resumes_as_many_connections_as_the_store_has_sessions() {
    let plan = burst::Plan {
        concurrency: vec![1, 3, 16],
        rounds: 4,
        custom_stores: Vec::new(),
    };
    let mut steps = 0;
    let rows = burst::measure(&plan, &mut |_| steps += 1);
    assert_eq!(steps, plan.steps());
    assert_eq!(rows.len(), plan.steps());
    assert_eq!(burst::errors(&rows).count(), 0, "{rows:#?}");
    let find = |row: &&BurstRow, store, tickets| {
        row.store == store && row.tickets == tickets && row.concurrency == 16
    };
    for row in &rows {
        let single_use = row.protocol == "TLS 1.3";
        // Connections that resume, of how many.
        let (tickets, of) = match row.store.as_str() {
            "in-hand" | "der" if single_use => (1, row.concurrency.max(1)),
            "rustls-memory" if single_use => (8, row.concurrency.max(8)),
            // A renewed session is dropped, so that every other connection resumes; with several
            // connections at once there is always another session.
            "hyper-openssl" if row.tickets == (1, 1) && row.concurrency == 1 => (1, 2),
            _ => (1, 1),
        };
        let expected = f64::from(tickets) / f64::from(u32::try_from(of).unwrap());
        assert!(
            (row.resumed_rate - expected).abs() < 1e-9,
            "{row:?}, not {expected}"
        );
    }
    // The tickets of both servers are covered.
    for tickets in [(2, 1), (2, 2), (1, 0), (1, 1)] {
        assert!(rows.iter().any(|row| find(&row, "tls-resume", tickets)));
    }
    terminal_text(Section::Burst, |report| report.burst = rows);
}

#[test]
fn all_threads_that_share_a_store_resume() {
    let plan = handshake_threads::Plan {
        threads: vec![1, 3],
        slice: Duration::from_millis(5),
        rounds: 2,
        custom_stores: Vec::new(),
    };
    let mut steps = 0;
    let rows = handshake_threads::measure(&plan, &mut |_| steps += 1).unwrap();
    assert_eq!(steps, plan.steps());
    // Two libraries, two versions, three stores, two numbers of threads, two rates.
    assert_eq!(rows.len(), 2 * 2 * 3 * 2 * 2);
    for row in &rows {
        assert!(row.ops_per_s_per_thread > 0.0, "{row:?}");
    }
    let by_wall = rows
        .iter()
        .find(|row| !row.mix.ends_with("client's time"))
        .unwrap();
    let by_client = rows.iter().find(|row| {
        row.mix.ends_with("client's time")
            && (&row.store, row.threads) == (&by_wall.store, by_wall.threads)
    });
    // The client's time does not include the server's.
    assert!(by_client.unwrap().ops_per_s_per_thread > by_wall.ops_per_s_per_thread);
}
