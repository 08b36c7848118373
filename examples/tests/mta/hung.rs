//! A process that is stopped while it has the lock of an LMDB file: this program, run again.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use heed::EnvOpenOptions;

use crate::common::signal;

/// A child's orders: the directory of the store, and the file that says that it has the lock.
const ORDERS: &str = "MTA_TEST_HUNG";

/// A process within a change, stopped. Dropping it kills it.
pub(crate) struct Hung(Child);

impl Hung {
    /// Hangs in the store of this directory, which must be there.
    pub(crate) fn in_store(dir: &Path) -> Self {
        let ready = dir.with_extension("ready");
        let child = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "hung::child", "--nocapture"])
            .env(ORDERS, format!("{}\n{}", dir.display(), ready.display()))
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

/// Not a test: what the child does. Without its orders, nothing.
#[test]
fn child() {
    let Ok(orders) = env::var(ORDERS) else { return };
    let (dir, ready) = orders.split_once('\n').expect("two lines");
    let entries = fs::read_dir(dir).expect("the store's folder");
    let mut places = entries.map(|entry| entry.expect("an entry").path());
    let place = places.find(|path| path.join("data.mdb").exists());
    // SAFETY: the file is the tier's own, which this process has not open otherwise.
    let file = unsafe { EnvOpenOptions::new().open(place.expect("a file")) }.expect("it opens");
    let _change = file.write_txn().expect("the lock");
    fs::write(ready, "ready").expect("a file");
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}
