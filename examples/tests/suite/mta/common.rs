//! Fixture of the tests: mail servers, worker processes, and stores.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use examples::mta::{Backend, Job, Servers, Workers};
use lab::redis::RedisServer;
use tempfile::TempDir;

/// The program.
pub(crate) const MTA: &str = env!("CARGO_BIN_EXE_mta");

/// Mail servers, and a temporary folder.
pub(crate) struct Fixture {
    pub(crate) servers: Servers,
    pub(crate) folder: TempDir,
}

impl Fixture {
    pub(crate) fn new(servers: usize) -> Self {
        let servers = Servers::start(servers).expect("mail servers");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("roots.pem"), servers.root_pem()).expect("a file");
        Self { servers, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn lmdb(&self) -> String {
        format!("lmdb:{}", self.path("sessions").display())
    }

    /// A job that delivers one mail over OpenSSL.
    pub(crate) fn job(&self, store: &str) -> Job {
        Job {
            to: self.servers.destinations(),
            roots: self.path("roots.pem"),
            store: store.to_owned(),
            keys: Some(self.path("keys")),
            backend: Backend::Openssl,
            tls: None,
            tickets_once: true,
            messages: 1,
            first: 0,
        }
    }
}

/// A pool of processes of `mta`.
pub(crate) fn workers(concurrency: usize) -> Workers {
    Workers::new(MTA, concurrency)
}

/// Starts a Redis, without which the tests fail.
pub(crate) fn redis() -> RedisServer {
    RedisServer::start().unwrap_or_else(|error| panic!("{error}"))
}

/// Sends a signal to a child process.
pub(crate) fn signal(name: &str, process: u32) {
    let status = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(status.expect("a command").success(), "{name} {process}");
}

/// A number from the environment, to run a test for longer.
pub(crate) fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}
