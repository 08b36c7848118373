//! A vsftpd for a test: FTP with `AUTH TLS` on a free port of 127.0.0.1, with a temporary directory.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, is_listening, is_root, require_program};
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// A running vsftpd. Dropping it stops it.
#[derive(Debug)]
pub struct VsftpdServer {
    port: u16,
    _process: ProcessGroup,
    dir: ServerDir,
}

impl VsftpdServer {
    /// Starts a server, and waits until it listens. Nobody can log in.
    pub fn start(identity: &Identity) -> Result<Self, DaemonError> {
        Self::start_with(identity, "anonymous_enable=NO\n")
    }

    /// Starts a server with files for `anonymous`, who may write to the directory `in`. Data
    /// connections must resume the session of their control connection (`require_ssl_reuse`). `None`
    /// unless this process is root's.
    pub fn with_files(identity: &Identity) -> Result<Option<Self>, DaemonError> {
        if !is_root() {
            return Ok(None);
        }
        Self::start_with(identity, ANONYMOUS).map(Some)
    }

    fn start_with(identity: &Identity, access: &str) -> Result<Self, DaemonError> {
        let vsftpd = require_program("vsftpd", "vsftpd")?;
        let port = free_port()?;
        let dir = ServerDir::new(None)?;
        dir.write_identity(identity)?;
        create_files(&dir.join("files"))?;
        let launching_user = if is_root() { "NO" } else { "YES" };
        let config = format!("{CONFIG}{access}")
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
            dir,
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The content of a file that was written to `in`.
    pub fn written(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.dir.join("files").join("in").join(name))
    }
}

/// Creates a directory of files for an FTP server, with a directory `in` that all may write to.
pub(crate) fn create_files(dir: &Path) -> io::Result<()> {
    let uploads = dir.join("in");
    fs::create_dir_all(&uploads)?;
    fs::set_permissions(dir, PermissionsExt::from_mode(0o755))?;
    fs::set_permissions(uploads, PermissionsExt::from_mode(0o777))
}

const CONFIG: &str = "\
listen=YES
listen_address=127.0.0.1
listen_port=@PORT@
background=NO
run_as_launching_user=@LAUNCHING_USER@
secure_chroot_dir=@DIR@/empty
local_enable=YES
xferlog_enable=NO
ssl_enable=YES
rsa_cert_file=@DIR@/cert.pem
rsa_private_key_file=@DIR@/key.pem
ssl_ciphers=HIGH
";

const ANONYMOUS: &str = "\
anonymous_enable=YES
no_anon_password=YES
anon_root=@DIR@/files
anon_umask=022
anon_upload_enable=YES
write_enable=YES
allow_anon_ssl=YES
force_anon_data_ssl=YES
require_ssl_reuse=YES
";
