//! async-nats with our `ClientConfig`. nats-server does not report resumption, so that a proxy
//! reads its `ServerHello`.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lab::certificate::{Authority, KeyKind};
use serde_json::Value;
use tempfile::TempDir;

use crate::recording_proxy::RecordingProxy;

/// Timeout of the server's start.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A nats-server on a free port. Dropping it stops it.
pub(crate) struct NatsServer {
    process: Child,
    pub(crate) address: SocketAddr,
    /// Of its monitoring over HTTP.
    pub(crate) monitor: SocketAddr,
    /// Has the root of its certificate in `roots.pem`.
    pub(crate) folder: TempDir,
}

impl NatsServer {
    pub(crate) fn start() -> Self {
        Self::start_with(&Authority::new(KeyKind::EcdsaP256), false)
    }

    /// Starts a server; with `verifies_clients`, it demands certificates of this authority.
    pub(crate) fn start_with(authority: &Authority, verifies_clients: bool) -> Self {
        let identity = authority.issue(&["localhost"]);
        let folder = tempfile::tempdir().expect("a directory");
        let file = |name| folder.path().join(name);
        fs::write(file("roots.pem"), authority.root_pem()).expect("a file");
        fs::write(file("cert.pem"), identity.chain_pem()).expect("a file");
        fs::write(file("key.pem"), identity.key_pem()).expect("a file");
        let start = |program| {
            let mut server = Command::new(program);
            if verifies_clients {
                server.arg("--tlsverify").arg("--tlscacert");
                server.arg(file("roots.pem"));
            }
            server
                .args(["--addr", "127.0.0.1", "--port", "-1", "--tls"])
                .args(["--http_port", "-1", "--ports_file_dir"])
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
        let (address, monitor) = loop {
            let ports = fs::read(&ports).unwrap_or_default();
            let ports: Value = serde_json::from_slice(&ports).unwrap_or_default();
            if let Some(addresses) = address(&ports["nats"]).zip(address(&ports["monitoring"])) {
                break addresses;
            }
            let ended = process.try_wait().expect("a process");
            assert!(ended.is_none() && Instant::now() < until, "{ended:?}");
            thread::sleep(Duration::from_millis(10));
        };
        Self {
            process,
            address,
            monitor,
            folder,
        }
    }
}

/// The first of several URLs, which have addresses as hosts.
fn address(urls: &Value) -> Option<SocketAddr> {
    let (_, address) = urls[0].as_str()?.split_once("://")?;
    Some(address.parse().expect("an address"))
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_second_connection_is_resumed() {
    let server = NatsServer::start();
    let proxy = RecordingProxy::start(server.address);
    let program = Command::new(env!("CARGO_BIN_EXE_nats"))
        .arg(format!("tls://localhost:{}", proxy.port))
        .arg(server.folder.path().join("roots.pem"))
        .output()
        .expect("the program");
    let stderr = String::from_utf8_lossy(&program.stderr);
    assert!(program.status.success(), "{stderr}");
    assert_eq!(program.stdout, b"sessions offered: 1\n");
    assert_eq!(proxy.resumed(), [false, true]);
}
