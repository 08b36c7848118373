//! A server in this process, and the probe's output about it.

use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Server, ServerSettings};
use lab::tcp::{Behaviour, TcpServer};
use serde_json::Value;

use crate::program::{Ran, compare, file};

/// A name of every server here that occurs nowhere else.
pub(crate) const NAME: &str = "a-name-to-look-for.lab.example";

/// A server and the file with its root certificate.
pub(crate) struct Lab {
    pub(crate) tcp: TcpServer,
    pub(crate) root: String,
}

impl Lab {
    pub(crate) fn new(test: &str, library: Library) -> Self {
        Self::with(test, library, Behaviour::Serve, |_| {})
    }

    pub(crate) fn with(
        test: &str,
        library: Library,
        behaviour: Behaviour,
        change: impl FnOnce(&mut ServerSettings),
    ) -> Self {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let names = ["localhost", "127.0.0.1", NAME];
        let mut settings = ServerSettings::new(authority.issue(&names));
        change(&mut settings);
        let root = file(&format!("{test}.pem"), &authority.root_pem());
        Self {
            tcp: TcpServer::start_with(Server::new(library, &settings), behaviour).unwrap(),
            root: root.to_str().unwrap().to_owned(),
        }
    }

    pub(crate) fn target(&self) -> String {
        format!("127.0.0.1:{}", self.tcp.port())
    }

    /// Probes the server with its root.
    pub(crate) fn probe(&self, args: &[&str]) -> Ran {
        compare(&[&["probe", &self.target(), "--ca", &self.root], args].concat())
    }
}

/// The objects of one type on standard output, one per line.
fn objects(ran: &Ran, kind: &str) -> Vec<Value> {
    let object = |line| serde_json::from_str(line).expect("a JSON object a line");
    let mut objects: Vec<Value> = ran.out.lines().map(object).collect();
    objects.retain(|object| object["type"] == kind);
    objects
}

pub(crate) fn connections(ran: &Ran) -> Vec<Value> {
    objects(ran, "connection")
}

pub(crate) fn verdicts(ran: &Ran) -> Vec<Value> {
    objects(ran, "verdict")
}
