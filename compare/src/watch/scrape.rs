//! The metrics of one moment.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use prometheus_parse::{Labels, Value};

const PREFIX: &str = "tls_resume_";
const SERVER: &str = "server";

/// What is counted: a store, or one server in it that is watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    /// The labels of its connectors; the domain alone, unless the program sets others.
    pub(super) store: String,
    pub(super) server: Option<String>,
}

/// The values of metrics by their names, without prefix and `_total`.
pub(super) type Values = BTreeMap<String, f64>;

/// The metrics of tls-resume that a program had at one moment.
#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) at: Instant,
    values: BTreeMap<Subject, Values>,
}

impl Scrape {
    /// Reads Prometheus's text format. Metrics of others, and lines that are none, are left out.
    pub(super) fn parse(text: &str) -> Self {
        let mut scrape = Self {
            at: Instant::now(),
            values: BTreeMap::new(),
        };
        let lines = text.lines().map(|line| io::Result::Ok(line.to_owned()));
        let samples = prometheus_parse::Scrape::parse(lines).map(|scrape| scrape.samples);
        for sample in samples.unwrap_or_default() {
            let name = sample.metric.strip_prefix(PREFIX);
            let (Some(name), Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value)) =
                (name, sample.value)
            else {
                continue;
            };
            let name = name.strip_suffix("_total").unwrap_or(name);
            let server = sample.labels.get(SERVER).map(printable);
            let name = match &server {
                Some(_) => name.strip_prefix("server_").unwrap_or(name),
                None => name,
            };
            let store = store(&sample.labels);
            let values = scrape.values.entry(Subject { store, server }).or_default();
            *values.entry(name.to_owned()).or_default() += value;
        }
        scrape
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// A metric; zero if there is none.
    pub(super) fn value(&self, subject: &Subject, name: &str) -> f64 {
        let values = self.values.get(subject);
        let value = values.and_then(|values| values.get(name));
        value.copied().unwrap_or_default()
    }

    pub(super) fn has(&self, subject: &Subject, name: &str) -> bool {
        let values = self.values.get(subject);
        values.is_some_and(|values| values.contains_key(name))
    }

    pub(super) fn stores(&self) -> impl Iterator<Item = &Subject> {
        let subjects = self.values.keys();
        subjects.filter(|subject| subject.server.is_none())
    }

    /// The watched servers of a store.
    pub(super) fn servers(&self, store: &Subject) -> impl Iterator<Item = &Subject> {
        let subjects = self.values.keys();
        subjects.filter(|subject| subject.server.is_some() && subject.store == store.store)
    }
}

/// The labels but `server`, in order.
fn store(labels: &Labels) -> String {
    let labels = labels.iter().filter(|(name, _)| *name != SERVER);
    let mut labels: Vec<_> = labels.collect();
    labels.sort_unstable();
    if let [(name, value)] = labels[..]
        && name == "domain"
    {
        return printable(value);
    }
    let labels = labels.into_iter();
    let labels: Vec<_> = labels
        .map(|(name, value)| format!("{name}={}", printable(value)))
        .collect();
    labels.join(" ")
}

/// On one line, and without escape sequences: labels come from another program.
fn printable(label: &str) -> String {
    label.escape_debug().to_string()
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "small whole numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn stores_and_servers_are_told_apart() {
        let scrape = Scrape::parse(
            "# TYPE tls_resume_resumed_total counter\n\
             tls_resume_resumed_total{domain=\"mail\"} 7\n\
             tls_resume_resumed_total{domain=\"mail\",zone=\"b\"} 1\n\
             tls_resume_server_resumed_total{domain=\"mail\",server=\"a\u{1b}[2J:25\"} 5\n\
             # TYPE tls_resume_bytes gauge\n\
             tls_resume_bytes{domain=\"mail\"} 944\n\
             process_open_fds 9\n\
             what is this\n",
        );
        let stores: Vec<_> = scrape.stores().map(|store| store.store.as_str()).collect();
        assert_eq!(stores, ["domain=mail zone=b", "mail"]);
        let mail = Subject {
            store: "mail".to_owned(),
            server: None,
        };
        assert_eq!(scrape.value(&mail, "resumed"), 7.0);
        assert_eq!(scrape.value(&mail, "bytes"), 944.0);
        assert_eq!(scrape.value(&mail, "declined"), 0.0);
        let servers: Vec<_> = scrape.servers(&mail).collect();
        let shown = servers[0].server.as_deref();
        assert_eq!((servers.len(), shown), (1, Some("a\\u{1b}[2J:25")));
        assert_eq!(scrape.value(servers[0], "resumed"), 5.0);
        assert!(Scrape::parse("<html>\nprocess_open_fds 9\n").is_empty());
    }
}
