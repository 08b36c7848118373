//! The flags of `compare serve`.

use std::net::TcpListener;

use super::server::Server;
use crate::program::{compare, file};

#[test]
fn wrong_arguments_are_one_line_and_exit_code_2() {
    for (args, message) in [
        (&["--listen", "4433"][..], "127.0.0.1:4433"),
        (&["--listen", "::1:4433"], "[::]:4433"),
        (&["--tls", "1.1"], "1.2"),
        (&["--backend", "gnutls"], "openssl"),
        (&["--tickets", "-1"], "from 0 to 100"),
        (&["--lifetime", "0"], "from 1 to 604800"),
        (&["--decline-every", "0"], "--decline-every"),
        (&["--rotate-keys", "x"], "--rotate-keys"),
        (&["--key", "dsa"], "ecdsa-p256"),
        (&["--name", "two words"], "--name"),
        (&["--connections", "0"], "--connections"),
        (&["extra"], "extra"),
    ] {
        let ran = compare(&[&["serve"], args].concat());
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (2, ""),
            "{args:?}: {}",
            ran.err
        );
        ran.one_line(message);
    }
}

#[test]
fn a_port_in_use_is_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = compare(&["serve", "--listen", &address]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    ran.one_line(&address);
}

#[test]
fn a_file_that_cannot_be_written_is_one_line() {
    let below = file("serve-no-directory", "").join("root.pem");
    let below = below.to_str().unwrap();
    let ran = compare(&["serve", "--listen", "127.0.0.1:0", "--cert-out", below]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    ran.one_line("--cert-out");
}

#[test]
fn names_and_key_are_in_the_certificate() {
    let args = [
        "--name",
        "one.example",
        "--name",
        "two.example",
        "--key",
        "rsa-2048",
    ];
    let server = Server::start("names", &args);
    for name in ["one.example", "two.example"] {
        let args = ["-servername", name, "-verify_hostname", name];
        let output = server.s_client(false, &args);
        assert!(output.contains("Verify return code: 0 (ok)"), "{output}");
        assert!(output.contains("Server public key is 2048 bit"), "{output}");
        assert_eq!(server.connection()["server_name"], name);
    }
    let output = server.s_client(false, &["-verify_hostname", "localhost"]);
    assert!(output.contains("hostname mismatch"), "{output}");
}
