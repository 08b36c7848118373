//! Connectors on smol, with nginx, which reports resumptions.

use lab::nginx::NginxServer;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use tls_resume::futures::Backend;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;

use super::common::{PROTOCOLS, connector, identity, run};

fn resumes<B: Backend>() {
    let nginx = NginxServer::start(&identity()).expect("an nginx");
    smol::block_on(async {
        for protocol in PROTOCOLS {
            let connector = connector::<B>(protocol).futures(smol::Timer::after);
            for _ in 0..2 {
                let tcp = smol::net::TcpStream::connect(("127.0.0.1", nginx.port())).await;
                let tcp = tcp.expect("TCP");
                let stream = connector.connect_stream("localhost", nginx.port(), tcp);
                let mut stream = stream.await.expect("TLS");
                let request = b"GET / HTTP/1.0\r\n\r\n";
                stream.write_all(request).await.expect("a write");
                stream.flush().await.expect("a flush");
                let mut response = String::new();
                let read = stream.read_to_string(&mut response).await;
                read.expect("a response");
                assert!(response.ends_with("\r\nhello\n"), "{response}");
                let _ = stream.close().await; // nginx has closed
            }
        }
    });
    let resumed = nginx.resumed(4).expect("its log");
    assert_eq!(resumed, [false, true, false, true]);
}

#[test]
fn rustls_resumes() {
    resumes::<Rustls>();
}

#[test]
fn openssl_resumes() {
    resumes::<OpenSsl>();
}

#[test]
fn rustls_preview_resumes() {
    resumes::<RustlsPreview>();
}

#[test]
fn the_program_resumes() {
    let nginx = NginxServer::start(&identity()).expect("an nginx");
    let server = format!("localhost:{}", nginx.port());
    let written = run(env!("CARGO_BIN_EXE_smol"), &server);
    let status = "HTTP/1.1 200 OK";
    assert_eq!(written, [status, status, "1 resumed"]);
    assert_eq!(nginx.resumed(2).expect("its log"), [false, true]);
}
