//! A vsftpd for a test: FTP with `AUTH TLS` on a free port of 127.0.0.1, with a temporary directory.

use std::fs;

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, is_listening, is_root, require_program};
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// A running vsftpd. Dropping it stops it.
#[derive(Debug)]
pub struct VsftpdServer {
    port: u16,
    _process: ProcessGroup,
    _dir: ServerDir,
}

impl VsftpdServer {
    /// Starts a server, and waits until it listens. Nobody can log in.
    pub fn start(identity: &Identity) -> Result<Self, DaemonError> {
        let vsftpd = require_program("vsftpd", "vsftpd")?;
        let port = free_port()?;
        let dir = ServerDir::new(None)?;
        dir.write_identity(identity)?;
        let launching_user = if is_root() { "NO" } else { "YES" };
        let config = CONFIG
            .replace("@DIR@", &dir.path().display().to_string())
            .replace("@PORT@", &port.to_string())
            .replace("@LAUNCHING_USER@", launching_user);
        let config = dir.write("vsftpd.conf", &config)?;
        fs::create_dir(dir.join("empty"))?;
        let mut command = dir.command(&vsftpd);
        let shutdown = Shutdown::Signal("TERM");
        let process = dir.start("vsftpd", command.arg(config), shutdown, || {
            is_listening(port)
        })?;
        Ok(Self {
            port,
            _process: process,
            _dir: dir,
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

const CONFIG: &str = "\
listen=YES
listen_address=127.0.0.1
listen_port=@PORT@
background=NO
run_as_launching_user=@LAUNCHING_USER@
secure_chroot_dir=@DIR@/empty
anonymous_enable=NO
local_enable=YES
xferlog_enable=NO
ssl_enable=YES
rsa_cert_file=@DIR@/cert.pem
rsa_private_key_file=@DIR@/key.pem
ssl_ciphers=HIGH
";
