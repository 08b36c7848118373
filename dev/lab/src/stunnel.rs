//! A stunnel for a test: it terminates TLS on a free port of 127.0.0.1, before a server without TLS.

use std::io;

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, is_listening, require_program, wait_for};
use crate::postgres::PostgresServer;
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// A running stunnel. Dropping it stops it.
#[derive(Debug)]
pub struct StunnelServer {
    port: u16,
    _process: ProcessGroup,
    dir: ServerDir,
}

impl StunnelServer {
    /// Starts one before the server on this port of 127.0.0.1, and waits until it listens.
    pub fn start(identity: &Identity, server_port: u16) -> Result<Self, DaemonError> {
        Self::start_with(identity, |port, path| {
            format!(
                "[tls]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{server_port}\n\
                 cert = {path}/cert.pem\nkey = {path}/key.pem\n"
            )
        })
    }

    /// Starts one before a PostgreSQL, and waits until it listens. With the PostgreSQL's own
    /// certificate, channel binding works through it.
    pub fn before_postgres(
        identity: &Identity,
        postgres: &PostgresServer,
    ) -> Result<Self, DaemonError> {
        // The front terminates the client's TLS, the back starts TLS to PostgreSQL; they are
        // connected by the plain port.
        let (plain_port, postgres_port) = (free_port()?, postgres.port());
        Self::start_with(identity, |port, path| {
            format!(
                "[front]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{plain_port}\n\
                 protocol = pgsql\ncert = {path}/cert.pem\nkey = {path}/key.pem\n\
                 [back]\nclient = yes\naccept = 127.0.0.1:{plain_port}\n\
                 connect = 127.0.0.1:{postgres_port}\nprotocol = pgsql\n"
            )
        })
    }

    /// Starts one with these services: a function of the port, and of the directory of `cert.pem`
    /// and `key.pem`.
    fn start_with(
        identity: &Identity,
        services: impl FnOnce(u16, &str) -> String,
    ) -> Result<Self, DaemonError> {
        let program = require_program("stunnel", "stunnel4")?;
        let dir = ServerDir::new(None)?;
        dir.write_identity(identity)?;
        let port = free_port()?;
        let services = services(port, &dir.path().display().to_string());
        let configuration =
            format!("foreground = yes\npid =\ndebug = info\nsyslog = no\n{services}");
        let file = dir.write("stunnel.conf", &configuration)?;
        let mut stunnel = dir.command(&program);
        let is_ready = || is_listening(port);
        let process = dir.start("stunnel", stunnel.arg(file), Shutdown::Kill, is_ready)?;
        Ok(Self {
            port,
            _process: process,
            dir,
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether each handshake so far was resumed, from its log. Waits up to ten seconds for this
    /// many.
    pub fn resumed(&self, handshakes: usize) -> io::Result<Vec<bool>> {
        wait_for(handshakes, || {
            let log = self.dir.log()?;
            let resumed = |line: &str| match line.split_once("TLS accepted: ")?.1 {
                "previous session reused" => Some(true),
                "new session negotiated" => Some(false),
                _ => None,
            };
            Ok(log.lines().filter_map(resumed).collect())
        })
    }
}
