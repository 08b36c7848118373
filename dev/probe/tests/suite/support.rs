//! Servers to probe, and how to probe them.

use std::io::Write;
use std::time::Duration;

use lab::certificate::{Authority, Identity, KeyKind};
use lab::server::{Library, Server, ServerSettings};
use lab::tcp::{Behaviour, TcpServer};
use probe::{Backend, Code, Finding, Options, Probe, Report};
use tempfile::NamedTempFile;

/// Names of the certificates.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// The CA of a test's servers, and a file with its root certificate.
pub(crate) struct Lab {
    pub(crate) authority: Authority,
    root: NamedTempFile,
}

impl Lab {
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

    /// Options that trust the CA.
    pub(crate) fn options(&self, port: u16) -> Options {
        let mut options = Options::new(format!("localhost:{port}").parse().unwrap());
        options.addresses = vec!["127.0.0.1".parse().unwrap()];
        options.ca = Some(self.root.path().to_owned());
        options.timeout = Duration::from_secs(20);
        options
    }

    /// Probes with all backends.
    pub(crate) fn probe(&self, port: u16, change: impl FnOnce(&mut Options)) -> Vec<Report> {
        let mut options = self.options(port);
        change(&mut options);
        probe(&options)
    }
}

/// Probes, and asserts what holds for every probe: each verdict is emitted and returned, comes last
/// and is one line; each finding reads back from its JSON; the connections are few.
pub(crate) fn probe(options: &Options) -> Vec<Report> {
    let mut emitted = Vec::new();
    let probe = Probe::new(options).unwrap();
    let reports = probe
        .run(&mut |finding| {
            emitted.push(finding.clone());
            Ok(())
        })
        .unwrap();
    let verdicts = emitted.iter().filter_map(|finding| match finding {
        Finding::Verdict(verdict) => Some(verdict.clone()),
        _ => None,
    });
    let returned: Vec<_> = reports
        .iter()
        .map(|report| report.verdict.clone())
        .collect();
    assert_eq!(verdicts.collect::<Vec<_>>(), returned);
    assert!(matches!(emitted.last(), Some(Finding::Verdict(_))));
    for finding in &emitted {
        let json = serde_json::to_string(finding).unwrap();
        assert!(json.starts_with(r#"{"type":""#), "{json}");
        assert_eq!(serde_json::from_str::<Finding>(&json).unwrap(), *finding);
    }
    for report in &reports {
        let verdict = &report.verdict;
        let made = verdict.connections_made;
        assert!(made <= 120, "{made} connections: {verdict:?}");
        for text in [Some(&verdict.text), verdict.remedy.as_ref()] {
            let text = text.map_or("", String::as_str);
            assert!(!text.contains("  ") && !text.contains('\n'), "{verdict:?}");
        }
    }
    reports
}

/// Asserts the verdict of every backend. Only a good one has no remedy.
pub(crate) fn assert_code(reports: &[Report], code: Code) {
    let backends: Vec<_> = reports.iter().map(|report| report.backend).collect();
    assert_eq!(backends, Backend::ALL);
    for report in reports {
        let verdict = &report.verdict;
        assert_eq!(verdict.code, code, "{verdict:?}\n{report:#?}");
        assert_eq!(verdict.remedy.is_none(), code.is_good(), "{verdict:?}");
    }
}
