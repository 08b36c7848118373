//! A ProFTPD for a test: FTP with `AUTH TLS` on a free port of 127.0.0.1, with a temporary directory.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, is_listening, is_root, unpacked};
use crate::process_group::{ProcessGroup, Shutdown, find_program};
use crate::tcp::free_port;
use crate::vsftpd::create_files;

/// A running ProFTPD. Dropping it stops it.
#[derive(Debug)]
pub struct ProftpdServer {
    port: u16,
    _process: ProcessGroup,
    dir: ServerDir,
}

impl ProftpdServer {
    /// Starts a server with files for `anonymous`, who may write to the directory `in`. Data
    /// connections must resume the session of their control connection: without `NoSessionReuseRequired`
    /// among its `TLSOptions`, it is the server's default. `None` unless this process is root's.
    pub fn with_files(identity: &Identity) -> Result<Option<Self>, DaemonError> {
        if !is_root() {
            return Ok(None);
        }
        let (proftpd, modules) = find()?;
        let port = free_port()?;
        let dir = ServerDir::new(None)?;
        dir.write_identity(identity)?;
        dir.write("issuers.pem", &issuers_pem(identity))?;
        create_files(&dir.join("files"))?;
        let config = CONFIG
            .replace("@MODULES@", &modules.display().to_string())
            .replace("@DIR@", &dir.path().display().to_string())
            .replace("@PORT@", &port.to_string());
        let config = dir.write("proftpd.conf", &config)?;
        let mut command = dir.command(&proftpd);
        let command = command.args(["--nodaemon", "--config"]).arg(config);
        let shutdown = Shutdown::Signal("TERM");
        let process = dir.start("proftpd", command, shutdown, || is_listening(port))?;
        Ok(Some(Self {
            port,
            _process: process,
            dir,
        }))
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The content of a file that was written to `in`.
    pub fn written(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.dir.join("files").join("in").join(name))
    }

    /// What its TLS module has logged.
    pub fn tls_log(&self) -> io::Result<String> {
        fs::read_to_string(self.dir.join("tls.log"))
    }
}

/// The program and the directory of its modules. Debian's package conflicts with that of vsftpd, so it
/// need not be installed.
fn find() -> Result<(PathBuf, PathBuf), DaemonError> {
    if let Some(installed) = find_program("proftpd") {
        return Ok((installed, "/usr/lib/proftpd".into()));
    }
    let program = unpacked().join("usr/sbin/proftpd");
    if program.is_file() {
        return Ok((program, unpacked().join("usr/lib/proftpd")));
    }
    Err(DaemonError::NotUnpacked {
        program: "proftpd",
        packages: "proftpd-core proftpd-mod-crypto",
    })
}

/// The chain without the server's own certificate: ProFTPD reads only that from its file.
fn issuers_pem(identity: &Identity) -> String {
    const END: &str = "-----END CERTIFICATE-----\n";
    let chain = identity.chain_pem().replace('\r', "");
    chain.split_inclusive(END).skip(1).collect()
}

const CONFIG: &str = "\
ModulePath @MODULES@
LoadModule mod_tls.c
ServerName lab
ServerType standalone
DefaultAddress 127.0.0.1
Port @PORT@
UseReverseDNS off
User nobody
Group nogroup
PidFile @DIR@/pid
ScoreboardFile @DIR@/scoreboard
DelayTable none
WtmpLog off
TransferLog none
SystemLog none
TLSEngine on
TLSProtocol TLSv1.2 TLSv1.3
TLSRequired on
TLSECCertificateFile @DIR@/cert.pem
TLSECCertificateKeyFile @DIR@/key.pem
TLSCertificateChainFile @DIR@/issuers.pem
TLSLog @DIR@/tls.log
<Anonymous @DIR@/files>
  User ftp
  Group nogroup
  UserAlias anonymous ftp
  RequireValidShell off
  AnonRequirePassword off
</Anonymous>
";
