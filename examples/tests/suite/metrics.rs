//! The metrics as a real Prometheus reads them; the alerts and the queries of the dashboard.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use compare::watch::{Options, Watch};
use examples::serve::HttpsServer;
use lab::prometheus::Prometheus;
use lab::server::{Library, Protocol};
use lab::tcp::free_port;
use serde_json::Value;

const LONG: Duration = Duration::from_secs(60);

fn monitoring(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/monitoring")
        .join(file)
}

/// The example program; dropping it ends it.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The answer of Prometheus's API.
fn ask(prometheus: &Prometheus, path: &str, query: &[(&str, &str)]) -> Value {
    let mut request = ureq::get(format!("{}/api/v1/{path}", prometheus.url()));
    for (name, value) in query {
        request = request.query(name, value);
    }
    let mut answer = request.call().expect("an answer");
    let text = answer.body_mut().read_to_string().expect("a text");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(answer["status"], "success", "{path} {query:?}: {answer}");
    answer["data"].clone()
}

/// The queries of the dashboard, with their variables set.
fn queries() -> Vec<String> {
    let text = fs::read_to_string(monitoring("dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("targets"));
    targets
        .map(|target| target["expr"].as_str().expect("a query"))
        .map(|query| {
            let query = query.replace("$__rate_interval", "1m");
            query.replace("$domain", "example")
        })
        .collect()
}

/// Starts the program with a store in this folder; where its metrics are read.
fn start(server: &HttpsServer, place: &Path) -> (Program, String) {
    let store = format!("lmdb:{}", place.join("sessions").display());
    let listen = format!("127.0.0.1:{}", free_port().expect("a port"));
    let program = Command::new(env!("CARGO_BIN_EXE_metrics"))
        .args([server.url().as_ref(), server.roots().as_os_str()])
        .args([&listen, &store])
        .spawn()
        .expect("the program");
    (Program(program), listen)
}

#[test]
fn a_prometheus_reads_what_the_dashboard_shows() {
    let server = HttpsServer::start(Library::OpenSsl, Protocol::Tls13, &[]).expect("a server");
    let place = tempfile::tempdir().expect("a temporary folder");
    let (_program, listen) = start(&server, place.path());
    let prometheus = Prometheus::start(&listen, &monitoring("alerts.yml")).expect("a Prometheus");
    let deadline = Instant::now() + LONG;
    let mut waiting: Vec<String> = queries();
    assert!(waiting.len() > 20, "{waiting:?}");
    while !waiting.is_empty() {
        assert!(Instant::now() < deadline, "no values: {waiting:#?}");
        waiting.retain(|query| {
            let data = ask(&prometheus, "query", &[("query", query)]);
            data["result"].as_array().expect("a result").is_empty()
        });
        thread::sleep(Duration::from_millis(200));
    }
    let resumed = [("query", "tls_resume_resumed_total{domain=\"example\"} > 0")];
    assert_eq!(
        ask(&prometheus, "query", &resumed)["result"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );

    // Each alert is known, and none fires for a program that resumes.
    let rules = ask(&prometheus, "rules", &[]);
    let rules = rules["groups"][0]["rules"]
        .as_array()
        .expect("rules")
        .clone();
    assert_eq!(rules.len(), 9);
    for rule in rules {
        assert_eq!(
            (&rule["health"], &rule["state"]),
            (&"ok".into(), &"inactive".into()),
            "{rule}"
        );
    }
}

/// `compare watch` of the program, whose server resumes.
#[test]
fn the_terminal_shows_what_resumes() {
    let server = HttpsServer::start(Library::OpenSsl, Protocol::Tls13, &[]).expect("a server");
    let place = tempfile::tempdir().expect("a temporary folder");
    let (_program, listen) = start(&server, place.path());
    let options = Options {
        url: format!("http://{listen}").parse().expect("a URL"),
        once: false,
        ca: None,
    };
    let mut watch = Watch::new(&options).expect("valid options");
    let deadline = Instant::now() + LONG;
    // Until it has seen a connection resume: the chart has a full bar then.
    let shown = loop {
        assert!(Instant::now() < deadline, "{:?}", watch.frame());
        match watch.frame() {
            Ok(frame) if frame.contains('█') => break frame,
            _ => thread::sleep(Duration::from_millis(200)),
        }
    };
    let watched = format!("localhost:{}", server.port());
    for text in ["example", "had no session", "works:", &watched] {
        assert!(shown.contains(text), "{text:?} is not in\n{shown}");
    }
}

/// Rules that fire in the cases they are for, and in no others.
#[test]
fn the_alerts_pass_their_tests() {
    let promtool = |arguments: &[&str]| {
        let output = Command::new("promtool")
            .current_dir(monitoring(""))
            .args(arguments)
            .output()
            .expect("promtool, of the package prometheus");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}{errors}");
    };
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["test", "rules", "alerts_test.yml"]);
}

/// What the alerts and the dashboard name is documented, and so exists.
#[test]
fn the_alerts_and_the_dashboard_name_metrics_that_exist() {
    let read = |path| fs::read_to_string(path).expect("a file");
    let documented = read(monitoring("../observability.md"));
    let texts = ["alerts.yml", "dashboard.json"].map(|file| read(monitoring(file)));
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let names: BTreeSet<&str> = texts
        .iter()
        .flat_map(|text| text.split(|character| !is_part(character)))
        .filter(|name| name.starts_with("tls_resume_"))
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(documented.contains(&format!("`{name}`")), "{name}");
    }
}
