//! async-nats with our `ClientConfig`. nats-server does not report resumption, so that the tests
//! read its `ServerHello`.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use lab::certificate::{Authority, KeyKind};
use serde_json::Value;
use tempfile::TempDir;

/// Timeout of the server's start.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A nats-server on a free port. Dropping it stops it.
pub(crate) struct NatsServer {
    process: Child,
    pub(crate) address: String,
    /// Has the root of its certificate in `roots.pem`.
    pub(crate) folder: TempDir,
}

impl NatsServer {
    pub(crate) fn start() -> Self {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let identity = authority.issue(&["localhost"]);
        let folder = tempfile::tempdir().expect("a directory");
        let file = |name| folder.path().join(name);
        fs::write(file("roots.pem"), authority.root_pem()).expect("a file");
        fs::write(file("cert.pem"), identity.chain_pem()).expect("a file");
        fs::write(file("key.pem"), identity.key_pem()).expect("a file");
        let start = |program| {
            Command::new(program)
                .args(["--addr", "127.0.0.1", "--port", "-1", "--tls"])
                .arg("--ports_file_dir")
                .arg(folder.path())
                .arg("--tlscert")
                .arg(file("cert.pem"))
                .arg("--tlskey")
                .arg(file("key.pem"))
                .stderr(Stdio::null())
                .spawn()
        };
        // `PATH` may lack the system's directories.
        let process = start("nats-server").or_else(|_| start("/usr/sbin/nats-server"));
        let mut process = process.expect("nats-server: apt-get install nats-server");
        let ports = folder
            .path()
            .join(format!("nats-server_{}.ports", process.id()));
        let until = Instant::now() + TIMEOUT;
        let address = loop {
            let ports = fs::read(&ports).unwrap_or_default();
            let ports: Value = serde_json::from_slice(&ports).unwrap_or_default();
            if let Some(url) = ports["nats"][0].as_str() {
                break url.split("://").last().expect("an address").to_owned();
            }
            let ended = process.try_wait().expect("a process");
            assert!(ended.is_none() && Instant::now() < until, "{ended:?}");
            thread::sleep(Duration::from_millis(10));
        };
        Self {
            process,
            address,
            folder,
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The bytes that the server sent, by connection.
type Sent = Arc<Mutex<Vec<Vec<u8>>>>;

/// Starts a proxy that records what `server` sends; returns its port and the record.
fn recording_proxy(server: &str) -> (u16, Sent) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let sent = Sent::default();
    let (server, all) = (server.to_owned(), Arc::clone(&sent));
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            all.lock().unwrap().push(Vec::new());
            let record = Arc::clone(&all);
            let _ = forward(client?, TcpStream::connect(&server)?, move |bytes| {
                record.lock().unwrap()[number].extend_from_slice(bytes);
            });
        }
        io::Result::Ok(())
    });
    (port, sent)
}

/// Forwards a connection in both directions; `record` gets what the server sends.
fn forward(
    mut client: TcpStream,
    mut server: TcpStream,
    record: impl Fn(&[u8]) + Send + 'static,
) -> io::Result<()> {
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        to_server.shutdown(Shutdown::Write)
    });
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        loop {
            let read = server.read(&mut bytes)?;
            if read == 0 {
                return client.shutdown(Shutdown::Write);
            }
            record(&bytes[..read]);
            client.write_all(&bytes[..read])?;
        }
    });
    Ok(())
}

/// Whether a server resumed a TLS 1.3 session: its `ServerHello`, which follows a plain-text line
/// of NATS, has the extension `pre_shared_key` (RFC 8446, sections 4.1.3 and 4.2.11).
fn resumed(sent: &[u8]) -> Option<bool> {
    let line = sent.windows(2).position(|two| two == b"\r\n")? + 2;
    // Header of the record, header of the message, version, random.
    let mut hello = &sent[line..];
    let headers = hello.split_off(..5 + 4 + 2 + 32)?;
    assert_eq!((headers[0], headers[5]), (22, 2), "no ServerHello");
    // Session id, cipher suite, compression method.
    let session_id = *hello.split_off_first()?;
    hello.split_off(..usize::from(session_id) + 3)?;
    let mut extensions = vector(&mut hello)?;
    let (mut is_tls13, mut is_resumed) = (false, false);
    while let Some((kind, rest)) = extensions.split_first_chunk() {
        extensions = rest;
        let contents = vector(&mut extensions)?;
        match u16::from_be_bytes(*kind) {
            43 => is_tls13 = contents == [3, 4], // supported_versions
            41 => is_resumed = true,             // pre_shared_key
            _ => {}
        }
    }
    is_tls13.then_some(is_resumed)
}

/// Splits off a vector with a length of two bytes.
fn vector<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    bytes.split_off(..usize::from(u16::from_be_bytes(*length)))
}

#[test]
fn the_second_connection_is_resumed() {
    let server = NatsServer::start();
    let (port, sent) = recording_proxy(&server.address);
    let program = Command::new(env!("CARGO_BIN_EXE_nats"))
        .arg(format!("tls://localhost:{port}"))
        .arg(server.folder.path().join("roots.pem"))
        .output()
        .expect("the program");
    let stderr = String::from_utf8_lossy(&program.stderr);
    assert!(program.status.success(), "{stderr}");
    assert_eq!(program.stdout, b"sessions offered: 1\n");
    let sent = sent.lock().unwrap();
    let resumed: Vec<_> = sent.iter().map(|sent| resumed(sent)).collect();
    assert_eq!(resumed, [Some(false), Some(true)]);
}
