//! Servers to probe, and probing them.

use std::io::Write;
use std::time::Duration;

use lab::certificate::{Authority, Identity, KeyKind};
use lab::server::{Library, Server, ServerSettings};
use lab::tcp::{Behaviour, TcpServer};
use probe::{Backend, Code, Finding, Options, Probe, Report};
use tempfile::NamedTempFile;

/// What the certificates are for.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// Whom all servers of a test have their certificates from, and the file with the root.
pub(crate) struct Trust {
    pub(crate) authority: Authority,
    root: NamedTempFile,
}

impl Trust {
    pub(crate) fn new() -> Self {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let mut root = NamedTempFile::new().unwrap();
        root.write_all(authority.root_pem().as_bytes()).unwrap();
        Self { authority, root }
    }

    pub(crate) fn identity(&self) -> Identity {
        self.authority.issue(&NAMES)
    }

    pub(crate) fn settings(&self) -> ServerSettings {
        ServerSettings::new(self.identity())
    }

    pub(crate) fn serve(&self, library: Library) -> TcpServer {
        TcpServer::start(Server::new(library, &self.settings())).unwrap()
    }

    pub(crate) fn serve_with(
        &self,
        library: Library,
        change: impl FnOnce(&mut ServerSettings),
    ) -> TcpServer {
        let mut settings = self.settings();
        change(&mut settings);
        TcpServer::start(Server::new(library, &settings)).unwrap()
    }

    pub(crate) fn misbehave(&self, behaviour: Behaviour) -> TcpServer {
        let server = Server::new(Library::Rustls, &self.settings());
        TcpServer::start_with(server, behaviour).unwrap()
    }

    /// Options that trust the root.
    pub(crate) fn options(&self, port: u16) -> Options {
        let mut options = Options::new(format!("localhost:{port}").parse().unwrap());
        options.addresses = vec!["127.0.0.1".parse().unwrap()];
        options.ca = Some(self.root.path().to_owned());
        options.timeout = Duration::from_secs(20);
        options
    }

    /// The reports of all backends.
    pub(crate) fn ask(&self, port: u16, change: impl FnOnce(&mut Options)) -> Vec<Report> {
        let mut options = self.options(port);
        change(&mut options);
        ask(&options)
    }
}

/// Probes, and checks what holds for every probe: what was told is what is reported, each finding
/// reads back from its JSON, and the verdict is the last of its backend.
pub(crate) fn ask(options: &Options) -> Vec<Report> {
    let mut told = Vec::new();
    let probe = Probe::new(options).unwrap();
    let reports = probe
        .ask(&mut |finding| {
            told.push(finding.clone());
            Ok(())
        })
        .unwrap();
    let verdicts = told.iter().filter_map(|finding| match finding {
        Finding::Verdict(verdict) => Some(verdict.clone()),
        _ => None,
    });
    let reported: Vec<_> = reports
        .iter()
        .map(|report| report.verdict.clone())
        .collect();
    assert_eq!(verdicts.collect::<Vec<_>>(), reported);
    assert!(matches!(told.last(), Some(Finding::Verdict(_))));
    for finding in &told {
        let json = serde_json::to_string(finding).unwrap();
        assert!(json.starts_with(r#"{"type":""#), "{json}");
        assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), *finding);
    }
    for report in &reports {
        let made = report.verdict.connections_made;
        assert!(made <= 120, "{made} connections: {:?}", report.verdict);
    }
    reports
}

/// Every backend says this; a good word has no remedy, and every other one has.
pub(crate) fn assert_code(reports: &[Report], code: Code) {
    let backends: Vec<_> = reports.iter().map(|report| report.backend).collect();
    assert_eq!(backends, Backend::ALL);
    for report in reports {
        let verdict = &report.verdict;
        assert_eq!(verdict.code, code, "{verdict:?}\n{report:#?}");
        assert_eq!(verdict.remedy.is_none(), code.is_good(), "{verdict:?}");
    }
}
