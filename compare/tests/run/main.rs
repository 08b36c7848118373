//! `compare run` as a program, and the same as a library.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod common;
mod interrupt;
mod json;
mod own;
mod terminal;

use std::fs;
use std::path::PathBuf;

/// A directory that one test has for itself, empty at first.
fn directory(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path); // it need not be there
    fs::create_dir_all(&path).expect("the directory for tests is writable");
    path
}
