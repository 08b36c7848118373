//! A slapd for a test: LDAP on free ports of 127.0.0.1, one of them with TLS, with a temporary
//! directory. It answers what it supports, and has no entries.

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, is_listening, require_program};
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// A running slapd. Dropping it stops it.
#[derive(Debug)]
pub struct SlapdServer {
    plain_port: u16,
    tls_port: u16,
    _process: ProcessGroup,
    _dir: ServerDir,
}

impl SlapdServer {
    /// Starts a server, and waits until it listens. Debian's slapd is built with `GnuTLS`, and issues
    /// no tickets.
    pub fn start(identity: &Identity) -> Result<Self, DaemonError> {
        let program = require_program("slapd", "slapd")?;
        let (plain_port, tls_port) = (free_port()?, free_port()?);
        let dir = ServerDir::new(None)?;
        dir.write_identity(identity)?;
        let path = dir.path().display();
        let configuration = format!(
            "pidfile {path}/slapd.pid\nTLSCertificateFile {path}/cert.pem\n\
             TLSCertificateKeyFile {path}/key.pem\nTLSCACertificateFile {path}/cert.pem\n"
        );
        let file = dir.write("slapd.conf", &configuration)?;
        let urls = format!("ldap://127.0.0.1:{plain_port} ldaps://127.0.0.1:{tls_port}");
        let mut slapd = dir.command(&program);
        slapd.args(["-d", "0", "-h", &urls, "-f"]).arg(file);
        let shutdown = Shutdown::Signal("TERM");
        let is_ready = || is_listening(plain_port) && is_listening(tls_port);
        let process = dir.start("slapd", &mut slapd, shutdown, is_ready)?;
        Ok(Self {
            plain_port,
            tls_port,
            _process: process,
            _dir: dir,
        })
    }

    /// The port of LDAP without TLS.
    pub fn plain_port(&self) -> u16 {
        self.plain_port
    }

    /// The port of LDAP over TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }
}
