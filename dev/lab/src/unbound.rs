//! An unbound for a test: DNS over TLS and over HTTPS on free ports of 127.0.0.1, with a temporary
//! directory. It knows a single name, and asks no other server.

use std::net::Ipv4Addr;

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, is_listening, require_program};
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// The name that it knows.
pub const NAME: &str = "www.lab.example.";
/// The address of [`NAME`].
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

/// A running unbound. Dropping it stops it.
#[derive(Debug)]
pub struct UnboundServer {
    tls_port: u16,
    https_port: u16,
    _process: ProcessGroup,
    _dir: ServerDir,
}

impl UnboundServer {
    /// Starts a server, and waits until it listens.
    pub fn start(identity: &Identity) -> Result<Self, DaemonError> {
        let program = require_program("unbound", "unbound")?;
        let (tls_port, https_port) = (free_port()?, free_port()?);
        let dir = ServerDir::new(None)?;
        dir.write_identity(identity)?;
        let configuration = format!(
            "server:\n  username: \"\"\n  chroot: \"\"\n  directory: {path}\n  pidfile: \"\"\n\
             \x20 use-syslog: no\n  do-daemonize: no\n  num-threads: 1\n\
             \x20 interface: 127.0.0.1@{tls_port}\n  interface: 127.0.0.1@{https_port}\n\
             \x20 tls-port: {tls_port}\n  https-port: {https_port}\n\
             \x20 tls-service-pem: {path}/cert.pem\n  tls-service-key: {path}/key.pem\n\
             \x20 module-config: iterator\n  local-zone: \"example.\" static\n\
             \x20 local-data: \"{NAME} A {ADDRESS}\"\nremote-control:\n  control-enable: no\n",
            path = dir.path().display(),
        );
        let file = dir.write("unbound.conf", &configuration)?;
        let mut unbound = dir.command(&program);
        unbound.args(["-d", "-c"]).arg(file);
        let shutdown = Shutdown::Signal("TERM");
        let is_ready = || is_listening(tls_port) && is_listening(https_port);
        let process = dir.start("unbound", &mut unbound, shutdown, is_ready)?;
        Ok(Self {
            tls_port,
            https_port,
            _process: process,
            _dir: dir,
        })
    }

    /// The port of DNS over TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// The port of DNS over HTTPS.
    pub fn https_port(&self) -> u16 {
        self.https_port
    }
}
