//! Offers and resumptions, and the flags that change them.

use std::thread;
use std::time::Duration;

use super::server::Server;

/// Both backends with both versions.
const SCENARIOS: [(&str, &str); 4] = [
    ("rustls", "1.2"),
    ("rustls", "1.3"),
    ("openssl", "1.2"),
    ("openssl", "1.3"),
];

const NOTHING: (bool, bool, Option<String>) = (false, false, None);
const RESUMED: (bool, bool, Option<String>) = (true, true, None);

fn declined(why: &str) -> (bool, bool, Option<String>) {
    (true, false, Some(why.to_owned()))
}

fn each(test: &str, args: &[&str], check: impl Fn(&Server)) {
    for (backend, tls) in SCENARIOS {
        let args = [&["--backend", backend, "--tls", tls], args].concat();
        check(&Server::start(&format!("{test}-{backend}-{tls}"), &args));
    }
}

#[test]
fn s_client_resumes_and_both_ends_report_it() {
    each("s-client", &["--lifetime", "777"], |server| {
        let full = server.s_client(false, &[]);
        assert!(full.contains("\nNew, TLSv1."), "{full}");
        assert!(full.contains("resumed: no\noffered: no\n"), "{full}");
        assert!(
            full.contains("ticket lifetime hint: 777 (seconds)"),
            "{full}"
        );
        assert!(full.contains("Verify return code: 0 (ok)"), "{full}");
        assert_eq!(server.outcome(), NOTHING);
        let resumed = server.s_client(true, &[]);
        assert!(resumed.contains("\nReused, TLSv1."), "{resumed}");
        assert!(
            resumed.contains("resumed: yes\noffered: yes\n"),
            "{resumed}"
        );
        assert_eq!(server.outcome(), RESUMED);
    });
}

#[test]
fn s_client_reconnects() {
    let server = Server::start("reconnect", &["--tls", "1.2"]);
    let output = server.s_client(false, &["-reconnect"]);
    assert_eq!(output.matches("Reused, TLSv1.2").count(), 5, "{output}");
    assert_eq!(server.outcome(), NOTHING);
    for _ in 0..5 {
        assert_eq!(server.outcome(), RESUMED);
    }
}

#[test]
fn curl_resumes_with_tls_1_3() {
    for backend in ["rustls", "openssl"] {
        let server = Server::start(&format!("curl-{backend}"), &["--backend", backend]);
        let output = server.curl(&["-H", "Connection: close"], 2);
        let (first, second) = output.split_once(&format!("server: {backend}\n")).unwrap();
        assert!(
            first.starts_with("resumed: no\noffered: no\nprotocol: TLS 1.3\n"),
            "{first}"
        );
        assert!(
            second.starts_with("resumed: yes\noffered: yes\n"),
            "{second}"
        );
        let row = server.connection();
        assert_eq!(row["server_name"], "localhost");
        assert_eq!(
            (&row["protocol"], &row["tickets"]),
            (&"1.3".into(), &2.into())
        );
        assert_eq!(server.outcome(), RESUMED);
    }
}

#[test]
fn curl_reuses_a_connection() {
    let server = Server::start("keep-alive", &["--connections", "1"]);
    let output = server.curl(&[], 3);
    assert_eq!(output.matches("connection: 1\n").count(), 3, "{output}");
    assert_eq!(server.outcome(), NOTHING);
    let (code, summary) = server.end();
    assert_eq!((code, &summary["connections"]), (Some(0), &1.into()));
}

#[test]
fn without_tickets_nothing_is_offered() {
    each("no-tickets", &["--tickets", "0"], |server| {
        let output = server.curl(&["-H", "Connection: close"], 2);
        assert_eq!(output.matches("offered: no\n").count(), 2, "{output}");
        for _ in 0..2 {
            let row = server.connection();
            assert_eq!(
                (&row["offered"], &row["tickets"]),
                (&false.into(), &0.into())
            );
        }
    });
}

#[test]
fn every_second_offer_is_declined_and_no_other() {
    each("decline", &["--decline-every", "2"], |server| {
        server.s_client(false, &[]);
        assert_eq!(server.outcome(), NOTHING);
        for _ in 0..2 {
            server.s_client(true, &[]);
            assert_eq!(server.outcome(), RESUMED);
            let output = server.s_client(true, &[]);
            assert!(output.contains("\nNew, TLSv1."), "{output}");
            assert!(
                output.contains("declined: by --decline-every\n"),
                "{output}"
            );
            assert_eq!(server.outcome(), declined("told"));
        }
    });
}

#[test]
fn tickets_are_declined_after_their_keys_change() {
    each("rotate", &["--rotate-keys", "2"], |server| {
        server.s_client(false, &[]);
        assert_eq!(server.outcome(), NOTHING);
        for _ in 0..2 {
            server.s_client(true, &[]);
            assert_eq!(server.outcome(), RESUMED);
            server.s_client(true, &[]);
            assert_eq!(server.outcome(), declined("other-keys"));
        }
    });
}

#[test]
fn a_ticket_expires() {
    for backend in ["rustls", "openssl"] {
        // s_client does not offer a TLS 1.3 ticket older than its lifetime hint.
        let args = ["--backend", backend, "--tls", "1.2", "--lifetime", "1"];
        let server = Server::start(&format!("too-old-{backend}"), &args);
        server.s_client(false, &[]);
        assert_eq!(server.outcome(), NOTHING);
        thread::sleep(Duration::from_millis(2_500));
        server.s_client(true, &[]);
        assert_eq!(server.outcome(), declined("too-old"));
    }
}
