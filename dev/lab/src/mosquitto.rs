//! A mosquitto for a test: MQTT over TLS on a free port of 127.0.0.1, with a temporary directory.

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, is_listening, require_program};
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// A running mosquitto. Dropping it stops it.
#[derive(Debug)]
pub struct MosquittoServer {
    port: u16,
    _process: ProcessGroup,
    dir: ServerDir,
}

impl MosquittoServer {
    /// Starts a server that demands client certificates up to the root in `client_root_pem`, and
    /// waits until it listens.
    pub fn start(identity: &Identity, client_root_pem: &str) -> Result<Self, DaemonError> {
        let program = require_program("mosquitto", "mosquitto")?;
        let port = free_port()?;
        // Root's mosquitto reads its files as this user.
        let dir = ServerDir::new(Some("mosquitto"))?;
        dir.write_identity(identity)?;
        dir.write("clients.pem", client_root_pem)?;
        let path = dir.path().display();
        let configuration = format!(
            "listener {port} 127.0.0.1\ncertfile {path}/cert.pem\nkeyfile {path}/key.pem\n\
             cafile {path}/clients.pem\nrequire_certificate true\nuse_identity_as_username true\n\
             log_dest stderr\nlog_type all\n"
        );
        let file = dir.write("mosquitto.conf", &configuration)?;
        let mut mosquitto = dir.command(&program);
        mosquitto.arg("-c").arg(file);
        let shutdown = Shutdown::Signal("TERM");
        let is_ready = || is_listening(port);
        let process = dir.start("mosquitto", &mut mosquitto, shutdown, is_ready)?;
        Ok(Self {
            port,
            _process: process,
            dir,
        })
    }

    /// The port of MQTT over TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name in the certificate of each client so far, from mosquitto's log.
    pub fn clients(&self) -> std::io::Result<Vec<String>> {
        let log = self.dir.log()?;
        let user = |line: &str| {
            let (_, user) = line.split_once(", u'")?;
            Some(user.split_once('\'')?.0.to_owned())
        };
        Ok(log.lines().filter_map(user).collect())
    }
}
