//! R7: processes are killed while another one keeps delivering.
//!
//! `KILL_TRIALS=1000 cargo test --release -p examples mta::killed -- --nocapture` runs for longer.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use examples::mta::Tls;

use super::common::{Fixture, number, workers};

const SERVERS: usize = 16;

/// The inode of the store's file, which changes if a damaged file is replaced.
fn inode(fixture: &Fixture) -> u64 {
    let entries = fs::read_dir(fixture.path("sessions")).expect("the store's folder");
    let directories = entries.map(|entry| entry.expect("an entry").path());
    let files: Vec<_> = directories
        .filter_map(|directory| fs::metadata(directory.join("data.mdb")).ok())
        .collect();
    assert_eq!(files.len(), 1, "one file");
    files[0].ino()
}

/// The survivor delivers throughout the trials. The servers log all tickets, also those of
/// interrupted handshakes.
#[test]
fn after_a_kill_the_store_is_readable_and_no_ticket_is_offered_twice() {
    let trials = number("KILL_TRIALS", 20);
    // Enough that a short-lived process takes a session from the store for each delivery.
    let fixture = Fixture::new(SERVERS);
    let mut job = fixture.job(&fixture.lmdb());
    job.tls = Some(Tls::Tls13);
    workers(1).run(&[job.clone()]).expect("a delivery");
    let first_inode = inode(&fixture);

    let done = AtomicBool::new(false);
    let endless = {
        let mut endless = job.clone();
        endless.messages = usize::MAX;
        endless
    };
    let (killed, survived) = thread::scope(|scope| {
        let survivor = scope.spawn(|| {
            let mut process = workers(1).start(&endless).expect("a process");
            let mut deliveries = Vec::new();
            while !done.load(Ordering::Relaxed) {
                deliveries.push(process.next_delivery().expect("a line").expect("no end"));
            }
            deliveries
        });
        // A panic in the trials must end the survivor, too.
        let killed = thread::scope(|scope| {
            let trials = scope.spawn(|| {
                let mut killed = 0;
                for trial in 0..trials {
                    let (mut job, mut endless) = (job.clone(), endless.clone());
                    (job.first, endless.first) = (trial + SERVERS / 2, trial);
                    let mut victim = workers(1).start(&endless).expect("a process");
                    // Killed while it delivers, or while it opens the store.
                    if trial % 4 > 0 {
                        victim
                            .next_delivery()
                            .expect("a line")
                            .expect("a store that opens");
                        killed += 1;
                    }
                    let delay = trial * 7_919 % 20_000;
                    thread::sleep(Duration::from_micros(delay as u64));
                    killed += victim.kill().expect("it was alive").len();
                    // The next process opens the store without an error.
                    let next = workers(1).run(&[job]).expect("a delivery");
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

    let log = fixture.servers.log();
    let last = survived.last().and_then(|delivery| delivery.tier);
    let last = last.expect("a delivery");
    println!(
        "{trials} trials: {killed} deliveries by processes that were killed, {} by the one that \
         was not; {} handshakes, {} resumed, {} tickets offered, {} twice",
        survived.len(),
        log.handshakes,
        log.resumed,
        log.offers,
        log.used_twice
    );
    assert_eq!(log.used_twice, 0, "a ticket was offered twice");
    assert_eq!((last.failures, last.rejected()), (0, 0));
    assert_eq!(inode(&fixture), first_inode, "the file was replaced");
    assert!(
        killed > 0 && log.resumed > log.handshakes / 2,
        "too few deliveries or resumptions"
    );
}
