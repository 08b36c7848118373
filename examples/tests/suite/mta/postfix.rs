//! R32: many processes deliver to a real Postfix, which sends one ticket and none after a resumption.
//! Skipped unless run by root.

use std::fs;

use examples::mta::{Backend, Destination, Job, Tls};
use lab::certificate::{Authority, KeyKind};
use lab::postfix::PostfixServer;
use tempfile::TempDir;

use super::common::{redis, workers};

const CONCURRENCY: usize = 4;

/// Delivers one mail by each process, the first one alone: it brings the ticket. Returns how many
/// handshakes Postfix resumed; `None` without root.
fn resumed(
    processes: usize,
    backend: Backend,
    tickets_once: bool,
    store: impl Fn(&TempDir) -> String,
) -> Option<usize> {
    let authority = Authority::new(KeyKind::EcdsaP256);
    let identity = authority.issue(&["localhost"]);
    let Some(postfix) = PostfixServer::start(&identity).expect("a Postfix") else {
        eprintln!("SKIPPED: only root can start Postfix");
        return None;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, authority.root_pem()).expect("a file");
    let job = Job {
        to: vec![Destination {
            host: "localhost".to_owned(),
            address: ([127, 0, 0, 1], postfix.port()).into(),
        }],
        roots,
        store: store(&folder),
        keys: Some(folder.path().join("keys")),
        backend,
        tls: Some(Tls::Tls13),
        tickets_once,
        messages: 1,
        first: 0,
    };
    let jobs = job.split(processes);
    let (first, others) = jobs.split_at(1);
    for (jobs, concurrency) in [(first, 1), (others, CONCURRENCY)] {
        let deliveries = workers(concurrency).run(jobs).expect("deliveries");
        assert_eq!(deliveries.concat().len(), jobs.len());
    }
    let resumed = postfix.resumed(processes).expect("its log");
    assert_eq!(resumed.len(), processes);
    assert_eq!(postfix.mails().expect("its queue").len(), processes);
    Some(resumed.into_iter().filter(|resumed| *resumed).count())
}

fn lmdb(folder: &TempDir) -> String {
    format!("lmdb:{}", folder.path().join("sessions").display())
}

fn assert_resume(backend: Backend, store: impl Fn(&TempDir) -> String) {
    const PROCESSES: usize = 200;
    let Some(resumed) = resumed(PROCESSES, backend, false, store) else {
        return;
    };
    println!("{backend}: {resumed} of {PROCESSES} resumed");
    assert!(resumed * 100 >= PROCESSES * 99, "{backend}: {resumed}");
}

#[test]
fn two_hundred_processes_resume_over_lmdb() {
    assert_resume(Backend::Openssl, lmdb);
}

#[test]
fn two_hundred_processes_resume_over_redis() {
    let redis = redis();
    assert_resume(Backend::RustlsPreview, |_| redis.url());
}

/// Half of the connections: each resumption uses up the ticket that a full handshake brought.
#[test]
fn processes_that_use_each_ticket_once_resume_half() {
    const PROCESSES: usize = 40;
    let Some(resumed) = resumed(PROCESSES, Backend::Openssl, true, lmdb) else {
        return;
    };
    assert!(resumed <= PROCESSES / 2, "{resumed}");
}
