//! Wrong arguments, and help.

use crate::program::{compare, file};

#[test]
fn wrong_arguments_are_one_line_and_exit_code_2() {
    for (args, message) in [
        (&["--bogus"][..], "--bogus"),
        (&["bogus"], "bogus"),
        (&["run", "--bogus"], "--bogus"),
        (&["run", "--only", "handshakes,bogus"], "equivalence"),
        (&["run", "--only", "tears"], "tiers"),
        (&["run", "--only", ""], "equivalence"),
        (&["run", "--only", "handshakes,"], "equivalence"),
        (&["run", "--seed", "x"], "from 0 to 18446744073709551615"),
        (&["run", "--seed", "-1"], "from 0 to 18446744073709551615"),
        (&["probe"], "HOST"),
        (&["probe", "localhost", "--bogus"], "--bogus"),
        (&["probe", "localhost", "--backend", "gnutls"], "openssl"),
        (&["probe", "localhost", "--backend", "x"], "rustls-preview"),
        (
            &["probe", "localhost", "--connections", "0"],
            "--connections",
        ),
        (
            &["probe", "localhost", "--connections", "-1"],
            "from 1 to 100000",
        ),
        (
            &["probe", "localhost", "--concurrency", "-1"],
            "from 1 to 1024",
        ),
        (
            &["probe", "localhost", "--concurrency", "1025"],
            "from 1 to 1024",
        ),
        (&["probe", "localhost", "--timeout", "0"], "--timeout"),
        (
            &["probe", "localhost", "--timeout", "-1"],
            "from 1 to 86400",
        ),
        (
            &["probe", "localhost", "--timeout", "abc"],
            "from 1 to 86400",
        ),
        (&["probe", "localhost", "--tls", "1.1"], "1.3"),
        (&["probe", "localhost", "--sni", "two words"], "--sni"),
        (&["probe", "localhost", "--sni", "two\nlines"], "--sni"),
        (&["probe", "localhost", "--sni", ""], "leave --sni out"),
        (&["probe", "localhost:70000"], "65535"),
        (&["probe", "::1"], "[::1]"),
        (&["probe", "::1:443"], "[::1]:443"),
        (&["probe", "https://localhost:1/"], "not a URL"),
        (&["watch"], "URL"),
        (
            &["watch", "localhost:9464"],
            "http://127.0.0.1:9464/metrics",
        ),
        (
            &["watch", "ftp://localhost/"],
            "http://127.0.0.1:9464/metrics",
        ),
        (
            &["watch", "http://localhost:1/", "--ca", "no-such-file"],
            "--ca",
        ),
    ] {
        let ran = compare(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
        ran.one_line(message);
    }
}

#[test]
fn a_directory_that_cannot_be_written_fails_before_the_work() {
    let file = file("not-a-directory", "");
    let ran = compare(&["run", "--out", file.to_str().unwrap()]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    ran.one_line("--out");
}

#[cfg(unix)]
#[test]
fn a_directory_need_not_be_utf_8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    // Cannot be created, so that nothing is measured.
    let out = file("not-a-directory-either", "").join(OsStr::from_bytes(b"\xff"));
    let ran = compare(&[OsStr::new("run"), OsStr::new("--out"), out.as_os_str()]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    ran.one_line("--out");
}

#[test]
fn help_exits_with_0() {
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
