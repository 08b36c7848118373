//! The LMDB tier across a fork. A program of its own, so that no thread of another test holds a
//! lock at the fork.
#![cfg(feature = "lmdb")]

#[path = "suite/lmdb/fixtures.rs"]
mod fixtures;

use std::path::Path;

use fixtures::{NOW, server, single, take_all, temporary};
use store_tiers::lmdb::{LmdbSettings, LmdbTier};
use store_tiers::{Tier, TierError};

/// The child's exit code for success.
const SUCCESS: i32 = 42;

/// The parent's tier fails in the child, and a tier that the child opens works.
fn in_the_child(mut parents: LmdbTier, dir: &Path) -> bool {
    let put = parents.put(&[single(&server(2), 10, "child's")], NOW);
    let fails = matches!(put, Err(TierError::NotApplied(_)));
    let Ok(mut own) = LmdbTier::open(dir, LmdbSettings::default()) else {
        return false;
    };
    drop(parents);
    let taken = take_all(&mut own, &server(1));
    let put = own.put(&[single(&server(2), 10, "own")], NOW);
    fails && taken == [b"one"] && put.is_ok()
}

#[test]
fn a_child_opens_a_tier_of_its_own() {
    let mut t = temporary(LmdbSettings::default());
    let dir = t.folder.path().join("tier");
    for ticket in ["one", "two"] {
        let number = if ticket == "one" { 1 } else { 3 };
        t.tier
            .put(&[single(&server(number), 10, ticket)], NOW)
            .unwrap();
    }
    // SAFETY: this program has no other threads than the test's and the test harness's, which holds
    // no lock of the tier.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let code = if in_the_child(t.tier, &dir) {
            SUCCESS
        } else {
            1
        };
        // SAFETY: ends the child at once; nothing of the parent's is run at its exit.
        unsafe { libc::_exit(code) }
    }
    assert!(child > 0, "fork: {}", std::io::Error::last_os_error());
    let mut status = 0;
    // SAFETY: waits for the child made above, into a live variable.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    assert!(libc::WIFEXITED(status), "the child did not exit: {status}");
    assert_eq!(libc::WEXITSTATUS(status), SUCCESS);
    assert!(
        take_all(&mut t.tier, &server(1)).is_empty(),
        "the child took it"
    );
    assert_eq!(take_all(&mut t.tier, &server(2)), [b"own"]);
    assert_eq!(take_all(&mut t.tier, &server(3)), [b"two"]);
}
