//! The LMDB tier across a fork. The only test of its program, so that no other thread holds a lock
//! at the fork.
#![cfg(feature = "lmdb")]

#[path = "lmdb/common.rs"]
mod common;

use std::path::Path;

use common::{NOW, server, single, take_all, temporary};
use store_tiers::lmdb::{LmdbSettings, LmdbTier};
use store_tiers::{Tier, TierError};

/// The child's exit code if all is as it should be.
const GOOD: i32 = 42;

/// What was opened before the fork works in the parent only, and what the child opens works.
fn in_the_child(mut parents: LmdbTier, dir: &Path) -> bool {
    let put = parents.put(&[single(&server(2), 10, "child's")], NOW);
    let refused = matches!(put, Err(TierError::NotApplied(_)));
    let Ok(mut own) = LmdbTier::open(dir, LmdbSettings::default()) else {
        return false;
    };
    drop(parents);
    let taken = take_all(&mut own, &server(1));
    let put = own.put(&[single(&server(2), 10, "own")], NOW);
    refused && taken == [b"one"] && put.is_ok()
}

#[test]
fn a_child_opens_its_own() {
    let mut t = temporary(LmdbSettings::default());
    let dir = t.folder.path().join("place");
    for ticket in ["one", "two"] {
        let number = if ticket == "one" { 1 } else { 3 };
        t.tier
            .put(&[single(&server(number), 10, ticket)], NOW)
            .unwrap();
    }
    // SAFETY: the threads of this program are the test's own and that of its harness, which holds
    // no lock of the tier's.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let code = if in_the_child(t.tier, &dir) { GOOD } else { 1 };
        // SAFETY: ends the child at once; nothing of the parent's is run at its exit.
        unsafe { libc::_exit(code) }
    }
    assert!(child > 0, "fork: {}", std::io::Error::last_os_error());
    let mut status = 0;
    // SAFETY: waits for the child made above, into a live variable.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    assert!(
        libc::WIFEXITED(status),
        "the child did not end by itself: {status}"
    );
    assert_eq!(libc::WEXITSTATUS(status), GOOD);
    assert!(
        take_all(&mut t.tier, &server(1)).is_empty(),
        "the child took it"
    );
    assert_eq!(take_all(&mut t.tier, &server(2)), [b"own"]);
    assert_eq!(take_all(&mut t.tier, &server(3)), [b"two"]);
}
