//! A process that is stopped while it holds the lock of an LMDB file: this test binary, started
//! again.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use heed::EnvOpenOptions;

use super::common::signal;

/// Environment variable of the child: the store's directory, and a file to create when it has the
/// lock.
const CHILD: &str = "MTA_TEST_HUNG";

/// A process stopped within a write transaction. Dropping it kills it.
pub(crate) struct Hung(Child);

impl Hung {
    /// Starts a process that stops in the existing store of this directory.
    pub(crate) fn in_store(dir: &Path) -> Self {
        let ready = dir.with_extension("ready");
        let child = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "mta::hung::child", "--nocapture"])
            .env(CHILD, format!("{}\n{}", dir.display(), ready.display()))
            .stdout(Stdio::null())
            .spawn()
            .expect("a child");
        let hung = Self(child);
        while !ready.exists() {
            thread::sleep(Duration::from_millis(1));
        }
        signal("-STOP", hung.0.id());
        hung
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test: the child's code. Does nothing without the environment variable.
#[test]
fn child() {
    let Ok(paths) = env::var(CHILD) else { return };
    let (dir, ready) = paths.split_once('\n').expect("two lines");
    let entries = fs::read_dir(dir).expect("the store's folder");
    let mut directories = entries.map(|entry| entry.expect("an entry").path());
    let directory = directories.find(|path| path.join("data.mdb").exists());
    // SAFETY: the file belongs to the tier, and this process has not opened it otherwise.
    let file = unsafe { EnvOpenOptions::new().open(directory.expect("a file")) }.expect("it opens");
    let _change = file.write_txn().expect("the lock");
    fs::write(ready, "ready").expect("a file");
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}
