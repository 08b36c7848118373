//! What the program says to arguments that it does not understand.

mod common;

use common::{compare, file};

#[test]
fn mistakes_are_one_line_and_exit_code_2() {
    for (args, says) in [
        (&["--bogus"][..], "--bogus"),
        (&["bogus"], "bogus"),
        (&["run", "--bogus"], "--bogus"),
        (&["run", "--only", "handshakes,bogus"], "equivalence"),
        (&["run", "--seed", "x"], "--seed"),
        (&["probe"], "HOST"),
        (&["probe", "localhost", "--bogus"], "--bogus"),
        (&["probe", "localhost", "--backend", "gnutls"], "openssl"),
        (
            &["probe", "localhost", "--connections", "0"],
            "--connections",
        ),
        (&["probe", "localhost", "--concurrency", "-1"], "-1"),
        (&["probe", "localhost", "--timeout", "0"], "--timeout"),
        (&["probe", "localhost", "--tls", "1.1"], "1.3"),
        (&["probe", "localhost", "--sni", "two words"], "--sni"),
        (&["probe", "localhost:70000"], "65535"),
        (&["probe", "::1"], "[::1]"),
    ] {
        let ran = compare(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
        ran.one_line(says);
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_said_before_the_work() {
    let file = file("not-a-directory", "");
    let ran = compare(&["run", "--quick", "--out", file.to_str().unwrap()]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    ran.one_line("--out");
}

#[test]
fn help_is_no_mistake() {
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["probe", "--help"],
        &["--version"],
    ] {
        let ran = compare(args);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
        assert!(ran.out.contains("compare"), "{args:?}: {}", ran.out);
    }
}
