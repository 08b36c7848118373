//! Mail servers, a crew and a store for a test.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use examples::mta::{Backend, Crew, Orders, Servers};
use lab::redis::RedisServer;
use tempfile::TempDir;

/// The program.
pub(crate) const MTA: &str = env!("CARGO_BIN_EXE_mta");

/// Mail servers, and a folder for what belongs to the test.
pub(crate) struct Town {
    pub(crate) servers: Servers,
    pub(crate) folder: TempDir,
}

impl Town {
    pub(crate) fn with(servers: usize) -> Self {
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

    /// Orders to deliver one mail to each server in turn, by OpenSSL.
    pub(crate) fn orders(&self, store: &str) -> Orders {
        Orders {
            to: self.servers.destinations(),
            roots: self.path("roots.pem"),
            store: store.to_owned(),
            keys: Some(self.path("keys")),
            backend: Backend::Openssl,
            tls: None,
            messages: 1,
            first: 0,
        }
    }
}

pub(crate) fn crew(at_a_time: usize) -> Crew {
    Crew::of(MTA, at_a_time)
}

/// A Redis, which these tests cannot do without.
pub(crate) fn redis() -> RedisServer {
    RedisServer::start().unwrap_or_else(|why| panic!("{why}"))
}

/// Sends a signal to a process of ours.
pub(crate) fn signal(name: &str, process: u32) {
    let status = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(status.expect("a command").success(), "{name} {process}");
}

/// A number from the environment, to try more than a test does by itself.
pub(crate) fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect(name))
}
