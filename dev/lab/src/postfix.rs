//! A Postfix of one's own, with STARTTLS: on a free port of 127.0.0.1, in directories of its own,
//! gone at the end. It takes mail for `localhost` and holds it in its queue.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::certificate::Identity;
use crate::daemon::{DaemonError, Room, installed, is_root, listens};
use crate::process::{End, Process};
use crate::tcp::free_port;

/// A running Postfix. Dropping it stops it.
#[derive(Debug)]
pub struct PostfixServer {
    port: u16,
    _process: Process,
    room: Room,
}

impl PostfixServer {
    /// Starts one, and waits until it listens. Nothing is started by anybody but root: Postfix
    /// cannot do without.
    pub fn start(identity: &Identity) -> Result<Option<Self>, DaemonError> {
        if !is_root() {
            return Ok(None);
        }
        let program = installed("postfix", "postfix")?;
        let said = Command::new(installed("postconf", "postfix")?)
            .args(["-h", "daemon_directory"])
            .output()?;
        let daemons = String::from_utf8_lossy(&said.stdout).trim().to_owned();

        let port = free_port()?;
        let room = Room::new(None)?;
        room.identify(identity)?;
        for name in ["etc", "queue", "data"] {
            fs::create_dir(room.file(name))?;
        }
        let owned = Command::new("chown")
            .arg("postfix")
            .arg(room.file("data"))
            .status()?;
        if !owned.success() {
            return Err(io::Error::other("there is no user `postfix`").into());
        }
        let here = room.path().display();
        for (name, text) in [("main.cf", MAIN), ("master.cf", MASTER)] {
            let text = text.replace("@DIR@", &here.to_string());
            let text = text.replace("@PORT@", &port.to_string());
            let file = room.write(&format!("etc/{name}"), &text)?;
            fs::set_permissions(file, PermissionsExt::from_mode(0o644))?;
        }
        // Makes the directories of the queue.
        let checked = Command::new(program)
            .arg("-c")
            .arg(room.file("etc"))
            .arg("check")
            .output()?;
        if !checked.status.success() {
            let said = String::from_utf8_lossy(&checked.stderr).into_owned();
            return Err(DaemonError::Refuses {
                program: "postfix",
                said,
            });
        }
        // It opens a session, and with it a group, and does not start where it leads one already.
        let mut master = Command::new(format!("{daemons}/master"));
        let master = master.arg("-c").arg(room.file("etc")).arg("-s");
        let process = room.start("postfix", master, End::Ask("TERM"), || listens(port))?;
        Ok(Some(Self {
            port,
            _process: process,
            room,
        }))
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether each TLS handshake so far was resumed, by its own word, when there are so many of them or
    /// some seconds later: it writes by a process of its own.
    pub fn resumed(&self, handshakes: usize) -> io::Result<Vec<bool>> {
        const LONG: Duration = Duration::from_secs(10);
        let begun = Instant::now();
        loop {
            let resumed = self.logged()?;
            if resumed.len() >= handshakes || begun.elapsed() > LONG {
                return Ok(resumed);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn logged(&self) -> io::Result<Vec<bool>> {
        let mut resumed = Vec::new();
        let mut reuses = false;
        for line in self.room.log()?.lines() {
            reuses |= line.contains("Reusing old session");
            if line.contains("TLS connection established") {
                resumed.push(reuses);
                reuses = false;
            }
        }
        Ok(resumed)
    }

    /// The mails that it has taken, each as it lies in the queue: its text is among other records.
    pub fn mails(&self) -> io::Result<Vec<Vec<u8>>> {
        let held = fs::read_dir(self.room.file("queue/hold"))?;
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
