//! A mosquitto for a test: MQTT over TLS on a free port of 127.0.0.1, with a temporary directory.

use std::io;

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, is_listening, require_program, wait_for};
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
    /// Starts a server, and waits until it listens. With `client_root_pem`, it demands client
    /// certificates up to this root.
    pub fn start(identity: &Identity, client_root_pem: Option<&str>) -> Result<Self, DaemonError> {
        let program = require_program("mosquitto", "mosquitto")?;
        let port = free_port()?;
        // Root's mosquitto reads its files as this user.
        let dir = ServerDir::new(Some("mosquitto"))?;
        dir.write_identity(identity)?;
        let path = dir.path().display();
        let clients = if let Some(root_pem) = client_root_pem {
            dir.write("clients.pem", root_pem)?;
            format!(
                "cafile {path}/clients.pem\nrequire_certificate true\n\
                 use_identity_as_username true\n"
            )
        } else {
            "allow_anonymous true\n".to_owned()
        };
        let configuration = format!(
            "listener {port} 127.0.0.1\ncertfile {path}/cert.pem\nkeyfile {path}/key.pem\n\
             log_dest stderr\nlog_type all\n{clients}"
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

    /// The name in the certificate of each client so far, from mosquitto's log. Waits up to ten
    /// seconds for this many.
    pub fn clients(&self, count: usize) -> io::Result<Vec<String>> {
        wait_for(count, || {
            let log = self.dir.log()?;
            let user = |line: &str| {
                let (_, user) = line.split_once(", u'")?;
                Some(user.split_once('\'')?.0.to_owned())
            };
            Ok(log.lines().filter_map(user).collect())
        })
    }
}
