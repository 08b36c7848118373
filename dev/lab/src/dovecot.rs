//! A Dovecot with IMAP over TLS for a test: on a free port of 127.0.0.1, with temporary directories.
//! Every user and password may log in.

use std::fs;
use std::os::unix::fs::chown;

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, is_listening, is_root, require_program, user_id};
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// A running Dovecot. Dropping it stops it.
#[derive(Debug)]
pub struct DovecotServer {
    port: u16,
    _process: ProcessGroup,
    _dir: ServerDir,
}

impl DovecotServer {
    /// Starts a server, and waits until it listens. `None` unless this process is root's: Dovecot
    /// needs root.
    pub fn start(identity: &Identity) -> Result<Option<Self>, DaemonError> {
        Self::start_with(identity, None)
    }

    /// Starts a server that asks for client certificates, without requiring one, and verifies them
    /// up to the root in `client_root_pem`. Then it fails whenever a session is offered, since it
    /// has no session-id context.
    pub fn start_verifying(
        identity: &Identity,
        client_root_pem: &str,
    ) -> Result<Option<Self>, DaemonError> {
        Self::start_with(identity, Some(client_root_pem))
    }

    fn start_with(
        identity: &Identity,
        client_root_pem: Option<&str>,
    ) -> Result<Option<Self>, DaemonError> {
        if !is_root() {
            return Ok(None);
        }
        let program = require_program("dovecot", "dovecot-imapd")?;
        let port = free_port()?;
        let dir = ServerDir::new(None)?;
        dir.write_identity(identity)?;
        let mail = dir.join("mail");
        fs::create_dir(&mail)?;
        chown(&mail, Some(user_id("dovecot")?), None)?;
        dir.write("clients.pem", client_root_pem.unwrap_or_default())?;
        let text = CONFIGURATION
            .replace("@VERIFIES@", client_root_pem.map_or("", |_| VERIFIES))
            .replace("@DIR@", &dir.path().display().to_string())
            .replace("@PORT@", &port.to_string());
        let file = dir.write("dovecot.conf", &text)?;
        let mut dovecot = dir.command(&program);
        let dovecot = dovecot.arg("-F").arg("-c").arg(file);
        let shutdown = Shutdown::Signal("TERM");
        let process = dir.start("dovecot", dovecot, shutdown, || is_listening(port))?;
        Ok(Some(Self {
            port,
            _process: process,
            _dir: dir,
        }))
    }

    /// The port of IMAP over TLS.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// One login process serves all connections: each process has ticket keys of its own.
const CONFIGURATION: &str = "\
base_dir = @DIR@/run
state_dir = @DIR@/state
log_path = /dev/stderr
listen = 127.0.0.1
protocols = imap
mail_location = maildir:@DIR@/mail/%u
first_valid_uid = 1
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=dovecot gid=dovecot home=@DIR@/mail
}
ssl = required
ssl_cert = <@DIR@/cert.pem
ssl_key = <@DIR@/key.pem
@VERIFIES@
service imap-login {
  service_count = 0
  process_limit = 1
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = @PORT@
  }
}
";

const VERIFIES: &str = "\
ssl_ca = <@DIR@/clients.pem
ssl_verify_client_cert = yes
ssl_require_crl = no
auth_ssl_require_client_cert = no
";
