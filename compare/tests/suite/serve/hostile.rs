//! Clients that do not speak TLS or HTTP.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::server::Server;

#[test]
fn clients_without_tls_do_not_block_others() {
    for backend in ["rustls", "openssl"] {
        let server = Server::start(&format!("hostile-{backend}"), &["--backend", backend]);
        let connect = || TcpStream::connect(&server.address).unwrap();

        let silent: Vec<_> = (0..20).map(|_| connect()).collect();
        let mut begun = connect();
        begun.write_all(&[22, 3, 1, 2, 0, 1, 0]).unwrap();

        let mut plain = connect();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        plain.read_to_end(&mut Vec::new()).unwrap();
        let row = server.connection();
        let error = row["error"].as_str().unwrap();
        assert!(error.starts_with("not a ClientHello: "), "{error}");

        let half = connect();
        half.shutdown(Shutdown::Write).unwrap();
        let row = server.connection();
        assert_eq!(row["error"], "the client closed before it sent anything");

        let output = server.curl(&[], 1);
        assert!(output.starts_with("resumed: no\n"), "{output}");
        assert_eq!(server.outcome(), (false, false, None));

        drop((silent, begun));
        for _ in 0..21 {
            assert!(server.connection()["error"].is_string());
        }
        let (code, summary) = server.interrupt();
        assert_eq!(code, Some(0));
        assert_eq!(
            (&summary["connections"], &summary["failed"]),
            (&24.into(), &23.into())
        );
    }
}

#[test]
fn wrong_requests_get_an_answer() {
    let server = Server::start("requests", &[]);
    let method = server.curl(&["--include", "--request", "DELETE"], 1);
    assert!(method.starts_with("HTTP/1.1 405 "), "{method}");
    assert!(method.contains("\r\nAllow: GET, HEAD\r\n"), "{method}");
    let long = format!("X: {}", "x".repeat(9_000));
    let long = server.curl(&["--include", "-H", &long], 1);
    assert!(long.starts_with("HTTP/1.1 431 "), "{long}");
    let head = server.curl(&["--head"], 1);
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
}
