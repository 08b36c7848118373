//! Messages that the suite's servers do not cause at will.

use super::*;

fn options() -> Options {
    Options::new("example.org".parse().unwrap())
}

#[test]
fn messages_are_one_short_printable_line() {
    let error = ConnectionError::new(Failure::Handshake, "a\r\nb \x1b[31mc\u{202e}");
    assert_eq!(error.message, "a b ?[31mc?");
    let long = ConnectionError::new(Failure::Handshake, "x".repeat(5_000));
    assert_eq!(long.message.len(), MAX_LENGTH);
    assert!(long.message.ends_with("x..."));
}

#[test]
fn a_quotation_ends_with_its_line() {
    assert_eq!(first_line(b"220 \"mail\"\r\nmore"), "220 'mail'");
    assert_eq!(one_line(&first_line(b"\x00\xffJ")), "??J");
}

#[test]
fn a_limit_of_open_files_is_a_local_failure() {
    let error = io::Error::from_raw_os_error(TOO_MANY_FILES[0]);
    let address = "192.0.2.1:443".parse().unwrap();
    for error in [
        ConnectionError::connect(address, &error, Duration::from_secs(1)),
        ConnectionError::resolve("example.org", &error),
    ] {
        assert_eq!(error.failure, Failure::Local);
        assert!(error.message.contains("ulimit -n"), "{error:?}");
    }
}

#[test]
fn timeouts_are_in_seconds() {
    assert_eq!(seconds(Duration::from_secs(10)), "10 s");
    assert_eq!(seconds(Duration::from_millis(3_333)), "3.3 s");
}

#[test]
fn an_abort_after_the_handshake_says_what_is_certain() {
    let options = options();
    for (abort, failure, expected) in [
        (
            Abort::Alert(116),
            Failure::ClientCertificate,
            "requires a client certificate",
        ),
        (
            Abort::Alert(42),
            Failure::ClientCertificate,
            "requires a client certificate",
        ),
        (
            Abort::Alert(40),
            Failure::Handshake,
            "may require a client certificate",
        ),
        (Abort::Alert(80), Failure::Handshake, "alert 80"),
        (Abort::Reset, Failure::Closed, "right after the handshake"),
    ] {
        let error = ConnectionError::aborted("server", abort, &options);
        assert_eq!(error.failure, failure);
        assert!(error.message.contains(expected), "{error:?}");
    }
}

#[test]
fn a_server_that_began_tls_is_told_from_one_that_did_not() {
    let options = options();
    for (is_tls, closed, timeout) in [
        (true, "during the TLS handshake", "began the TLS handshake"),
        (false, "before it sent any TLS", "sent no TLS"),
    ] {
        let cleartext = Cleartext {
            is_tls,
            ..Cleartext::default()
        };
        let error = ConnectionError::closed("server", &cleartext, &options);
        assert!(error.message.contains(closed), "{error:?}");
        let error = ConnectionError::timeout("server", &cleartext, &options);
        assert!(error.message.contains(timeout), "{error:?}");
    }
}

#[test]
fn a_client_certificate_that_is_not_accepted_is_named() {
    let with_certificate = Options {
        cert: Some("client.pem".into()),
        key: Some("client.key".into()),
        ..options()
    };
    for (alert, options, expected) in [
        (CERTIFICATE_REQUIRED, options(), "give one with --cert"),
        (
            CERTIFICATE_REQUIRED,
            with_certificate.clone(),
            "one of its CAs",
        ),
        (
            UNKNOWN_CA,
            with_certificate,
            "rejects the client certificate of client.pem (alert 48)",
        ),
    ] {
        let error = ConnectionError::aborted("server", Abort::Alert(alert), &options);
        assert_eq!(error.failure, Failure::ClientCertificate);
        assert!(error.message.contains(expected), "{error:?}");
    }
}
