//! A Postfix server with STARTTLS for a test: on a free port of 127.0.0.1, with temporary
//! directories. It accepts mail for `localhost` and holds it in its queue.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, is_listening, is_root, require_program, wait_for};
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// A running Postfix. Dropping it stops it.
#[derive(Debug)]
pub struct PostfixServer {
    port: u16,
    _process: ProcessGroup,
    dir: ServerDir,
}

impl PostfixServer {
    /// Starts a server, and waits until it listens. `None` unless this process is root's: Postfix
    /// needs root.
    pub fn start(identity: &Identity) -> Result<Option<Self>, DaemonError> {
        if !is_root() {
            return Ok(None);
        }
        let postfix = require_program("postfix", "postfix")?;
        let postconf = Command::new(require_program("postconf", "postfix")?)
            .args(["-h", "daemon_directory"])
            .output()?;
        let daemon_directory = String::from_utf8_lossy(&postconf.stdout).trim().to_owned();

        let port = free_port()?;
        let dir = ServerDir::new(None)?;
        dir.write_identity(identity)?;
        for name in ["etc", "queue", "data"] {
            fs::create_dir(dir.join(name))?;
        }
        let chown = Command::new("chown")
            .arg("postfix")
            .arg(dir.join("data"))
            .status()?;
        if !chown.success() {
            return Err(io::Error::other("there is no user `postfix`").into());
        }
        let path = dir.path().display().to_string();
        for (name, template) in [("main.cf", MAIN), ("master.cf", MASTER)] {
            let text = template
                .replace("@DIR@", &path)
                .replace("@PORT@", &port.to_string());
            let file = dir.write(&format!("etc/{name}"), &text)?;
            fs::set_permissions(file, PermissionsExt::from_mode(0o644))?;
        }
        // `postfix check` creates the directories of the queue.
        let check = Command::new(postfix)
            .arg("-c")
            .arg(dir.join("etc"))
            .arg("check")
            .output()?;
        if !check.status.success() {
            return Err(DaemonError::NotStarted {
                program: "postfix",
                output: String::from_utf8_lossy(&check.stderr).into_owned(),
            });
        }
        // Not by `ServerDir::command`: the master calls setsid, which fails for the leader of a
        // process group.
        let mut master = Command::new(format!("{daemon_directory}/master"));
        let master = master.arg("-c").arg(dir.join("etc")).arg("-s");
        let shutdown = Shutdown::Signal("TERM");
        let process = dir.start("postfix", master, shutdown, || is_listening(port))?;
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

    /// Whether each TLS handshake so far was resumed, from Postfix's log. Waits up to ten seconds
    /// for this many handshakes.
    pub fn resumed(&self, handshakes: usize) -> io::Result<Vec<bool>> {
        wait_for(handshakes, || self.logged())
    }

    fn logged(&self) -> io::Result<Vec<bool>> {
        let mut resumed = Vec::new();
        // Processes that have reused a session for the connection that they establish. Lines of several
        // processes mix.
        let mut reusing = HashSet::new();
        for line in self.dir.log()?.lines() {
            let process = line.split_once("smtpd[").map(|(_, rest)| rest);
            let process = process.and_then(|rest| rest.split_once(']'));
            let Some((process, text)) = process else {
                continue;
            };
            if text.contains("Reusing old session") {
                reusing.insert(process.to_owned());
            }
            if text.contains("TLS connection established") {
                resumed.push(reusing.remove(process));
            }
        }
        Ok(resumed)
    }

    /// The mails that it has accepted, as queue files: a mail's text is among other records.
    pub fn mails(&self) -> io::Result<Vec<Vec<u8>>> {
        let held = fs::read_dir(self.dir.join("queue/hold"))?;
        held.map(|mail| fs::read(mail?.path())).collect()
    }
}

const MAIN: &str = "\
compatibility_level = 3.6
queue_directory = @DIR@/queue
data_directory = @DIR@/data
maillog_file = /dev/stdout
myhostname = localhost.localdomain
mydestination = localhost
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
smtpd_peername_lookup = no
smtpd_client_restrictions = check_client_access static:HOLD
smtpd_tls_security_level = may
smtpd_tls_loglevel = 2
smtpd_tls_cert_file = @DIR@/cert.pem
smtpd_tls_key_file = @DIR@/key.pem
smtpd_tls_session_cache_database = btree:$data_directory/smtpd_scache
";

const MASTER: &str = "\
127.0.0.1:@PORT@ inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";
