//! `compare watch` at addresses without metrics. The suite of `examples` runs it with metrics.

use lab::prometheus::Prometheus;
use lab::tcp::free_port;

use super::program::compare;

#[test]
fn an_address_without_an_answer_is_one_line() {
    let port = free_port().expect("a port");
    let ran = compare(&["watch", &format!("http://me:secret@127.0.0.1:{port}")]);
    assert_eq!((ran.code, &*ran.out), (1, ""), "{}", ran.err);
    let line = ran.one_line(&format!("no metrics from http://127.0.0.1:{port}/metrics"));
    assert!(!line.contains("secret"), "{line}");
}

/// Prometheus has metrics of its own.
#[test]
fn metrics_of_others_are_one_line() {
    let rules = tempfile::NamedTempFile::new().expect("a file");
    let port = free_port().expect("a port");
    let target = format!("127.0.0.1:{port}");
    let prometheus = Prometheus::start(&target, rules.path()).expect("a Prometheus");
    let ran = compare(&["watch", "--once", &prometheus.url()]);
    assert_eq!((ran.code, &*ran.out), (2, ""), "{}", ran.err);
    ran.one_line("not with metrics of tls-resume");
}
