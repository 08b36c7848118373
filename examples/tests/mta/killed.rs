//! R7: a process that is killed, again and again, while another one goes on.
//!
//! `KILL_TRIALS=1000 cargo test --release -p examples killed -- --nocapture` tries more.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use examples::mta::Tls;

use crate::common::{Town, crew, number};

const SERVERS: usize = 16;

/// The file, so that it is noticed if a damaged one was replaced.
fn file(town: &Town) -> u64 {
    let entries = fs::read_dir(town.path("sessions")).expect("the store's folder");
    let places = entries.map(|entry| entry.expect("an entry").path());
    let files: Vec<_> = places
        .filter_map(|place| fs::metadata(place.join("data.mdb")).ok())
        .collect();
    assert_eq!(files.len(), 1, "one file");
    files[0].ino()
}

/// The survivor delivers as long as the trials go on; the server notes the tickets of all, also of
/// handshakes that were cut off.
#[test]
fn a_killed_process_leaves_a_readable_store_and_no_ticket_twice() {
    let trials = number("KILL_TRIALS", 20);
    // So many that a process which lives for a moment takes a session for each delivery.
    let town = Town::with(SERVERS);
    let mut orders = town.orders(&town.lmdb());
    orders.tls = Some(Tls::Tls13);
    crew(1).deliver(&[orders.clone()]).expect("a delivery");
    let first_file = file(&town);

    let done = AtomicBool::new(false);
    let endless = {
        let mut endless = orders.clone();
        endless.messages = usize::MAX;
        endless
    };
    let (killed, survived) = thread::scope(|scope| {
        let survivor = scope.spawn(|| {
            let mut process = crew(1).start(&endless).expect("a process");
            let mut told = Vec::new();
            while !done.load(Ordering::Relaxed) {
                told.push(process.hear().expect("a line").expect("no end"));
            }
            told
        });
        // Whatever fails here, the survivor must end.
        let killed = thread::scope(|scope| {
            let trials = scope.spawn(|| {
                let mut killed = 0;
                for trial in 0..trials {
                    let (mut orders, mut endless) = (orders.clone(), endless.clone());
                    (orders.first, endless.first) = (trial + SERVERS / 2, trial);
                    let mut victim = crew(1).start(&endless).expect("a process");
                    // In the middle of its work, or while it opens the store.
                    if trial % 4 > 0 {
                        victim.hear().expect("a line").expect("a store that opens");
                        killed += 1;
                    }
                    let moment = trial * 7_919 % 20_000;
                    thread::sleep(Duration::from_micros(moment as u64));
                    killed += victim.kill().expect("it was alive").len();
                    // The next one opens the store and finds nothing wrong with it.
                    let next = crew(1).deliver(&[orders]).expect("a delivery");
                    let tier = next[0][0].tier.expect("a shared store");
                    assert_eq!((tier.failures, tier.rejected()), (0, 0), "trial {trial}");
                }
                killed
            });
            let killed = trials.join();
            done.store(true, Ordering::Relaxed);
            killed.expect("trials without a failure")
        });
        (killed, survivor.join().expect("a survivor"))
    });

    let seen = town.servers.ledger();
    let last = survived.last().and_then(|delivery| delivery.tier);
    let last = last.expect("a delivery");
    println!(
        "{trials} trials: {killed} deliveries by processes that were killed, {} by the one that was \
         not; {} handshakes, {} resumed, {} tickets offered, {} twice",
        survived.len(),
        seen.handshakes,
        seen.resumed,
        seen.offers,
        seen.used_twice
    );
    assert_eq!(seen.used_twice, 0, "a ticket came back");
    assert_eq!((last.failures, last.rejected()), (0, 0));
    assert_eq!(file(&town), first_file, "the file was given up");
    assert!(
        killed > 0 && seen.resumed > seen.handshakes / 2,
        "nothing was tried"
    );
}
