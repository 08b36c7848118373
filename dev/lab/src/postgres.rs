//! A PostgreSQL of one's own, and what stands in front of one: on free ports of 127.0.0.1, gone at
//! the end.
//!
//! ```no_run
//! use lab::certificate::{Authority, KeyKind};
//! use lab::postgres::{PostgresServer, Proxy};
//!
//! let identity = Authority::new(KeyKind::EcdsaP256).issue(&["localhost"]);
//! let postgres = PostgresServer::start(&identity)?;
//! let proxy = Proxy::stunnel(&postgres, &identity)?;
//! println!("{}, or {}", postgres.port(), proxy.port());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::certificate::Identity;
use crate::daemon::{DaemonError, Room, installed, listens};
use crate::process::{End, Process};
use crate::tcp::free_port;

/// Who may sign in.
pub const USER: &str = "postgres";
/// With which password, by SCRAM.
pub const PASSWORD: &str = "opensesame";

/// PostgreSQL with TLS, as it comes, for one user with a password. Dropping it stops it.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    port: u16,
    process: Process,
    room: Room,
}

impl PostgresServer {
    /// Starts one, and waits until it answers.
    pub fn start(identity: &Identity) -> Result<Self, DaemonError> {
        let programs = programs()?;
        let room = Room::new(Some("postgres"))?;
        let password = room.write("password", PASSWORD)?;
        let made = room
            .command(&programs.join("initdb"))
            .args([
                "--no-sync",
                "--no-instructions",
                "--locale=C",
                "--username",
                USER,
            ])
            .args(["--auth=scram-sha-256", "--pwfile"])
            .arg(password)
            .arg(room.file("data"))
            .stderr(Stdio::piped())
            .output()?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(DaemonError::Refuses {
                program: "initdb",
                said,
            });
        }
        let port = free_port()?;
        room.identify(identity)?;
        let process = serve(&programs, &room, port)?;
        Ok(Self {
            programs,
            port,
            process,
            room,
        })
    }

    /// Starts it again, with another certificate: chain and key as PEM text.
    pub fn restart(&mut self, chain_pem: &str, key_pem: &str) -> Result<(), DaemonError> {
        self.process.end();
        self.room.write("cert.pem", chain_pem)?;
        self.room.write("key.pem", key_pem)?;
        self.process = serve(&self.programs, &self.room, self.port)?;
        Ok(())
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn serve(programs: &Path, room: &Room, port: u16) -> Result<Process, DaemonError> {
    let here = room.path().display();
    let mut postgres = room.command(&programs.join("postgres"));
    postgres.arg("-D").arg(room.file("data"));
    for setting in [
        format!("port={port}"),
        format!("ssl_cert_file={here}/cert.pem"),
        format!("ssl_key_file={here}/key.pem"),
        "ssl=on".to_owned(),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        "fsync=off".to_owned(),
    ] {
        postgres.args(["-c", &setting]);
    }
    let is_ready = || {
        let mut asked = room.command(&programs.join("pg_isready"));
        let asked = asked.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
        asked.status().is_ok_and(|status| status.success())
    };
    // At once, whoever is connected.
    room.start("postgres", &mut postgres, End::Ask("QUIT"), is_ready)
}

/// Where the newest version is, which Debian has not in the path.
fn programs() -> Result<PathBuf, DaemonError> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = versions
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|programs| programs.join("postgres").is_file())
        .max_by_key(|programs| {
            let version = programs
                .parent()
                .and_then(|path| path.file_name()?.to_str());
            version.and_then(|version| version.parse::<u32>().ok())
        });
    newest.ok_or(DaemonError::Missing {
        program: "postgres",
        package: "postgresql",
    })
}

/// What terminates TLS for a PostgreSQL. Dropping it stops it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    _process: Process,
    room: Room,
}

impl Proxy {
    /// stunnel, which passes on what is said over TLS of its own to PostgreSQL. With the certificate
    /// of the PostgreSQL, channel binding works through it.
    pub fn stunnel(postgres: &PostgresServer, identity: &Identity) -> Result<Self, DaemonError> {
        let program = installed("stunnel", "stunnel4")?;
        let room = Room::new(None)?;
        room.identify(identity)?;
        let (port, between) = (free_port()?, free_port()?);
        let configuration = format!(
            "foreground = yes\npid =\ndebug = info\nsyslog = no\n\
             [front]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{between}\nprotocol = pgsql\n\
             cert = {here}/cert.pem\nkey = {here}/key.pem\n\
             [back]\nclient = yes\naccept = 127.0.0.1:{between}\n\
             connect = 127.0.0.1:{behind}\nprotocol = pgsql\n",
            here = room.path().display(),
            behind = postgres.port,
        );
        let file = room.write("stunnel.conf", &configuration)?;
        let mut stunnel = room.command(&program);
        let is_ready = || listens(between) && listens(port);
        let process = room.start("stunnel", stunnel.arg(file), End::Kill, is_ready)?;
        Ok(Self {
            port,
            _process: process,
            room,
        })
    }

    /// `PgBouncer`, which signs in at PostgreSQL itself and lets everybody in.
    pub fn pgbouncer(postgres: &PostgresServer, identity: &Identity) -> Result<Self, DaemonError> {
        let program = installed("pgbouncer", "pgbouncer")?;
        let room = Room::new(Some("postgres"))?;
        room.identify(identity)?;
        let port = free_port()?;
        let configuration = format!(
            "[databases]\n* = host=127.0.0.1 port={behind} user={USER} password={PASSWORD}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\nclient_tls_sslmode = require\n\
             client_tls_cert_file = {here}/cert.pem\nclient_tls_key_file = {here}/key.pem\n",
            here = room.path().display(),
            behind = postgres.port,
        );
        let file = room.write("pgbouncer.ini", &configuration)?;
        let mut pgbouncer = room.command(&program);
        let is_ready = || listens(port);
        let process = room.start("pgbouncer", pgbouncer.arg(file), End::Kill, is_ready)?;
        Ok(Self {
            port,
            _process: process,
            room,
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether each handshake so far was resumed, by stunnel's own word; `PgBouncer` says nothing.
    pub fn resumed(&self) -> io::Result<Vec<bool>> {
        let log = self.room.log()?;
        let of_line = |line: &str| match line.split_once("TLS accepted: ")?.1 {
            "previous session reused" => Some(true),
            "new session negotiated" => Some(false),
            _ => None,
        };
        Ok(log.lines().filter_map(of_line).collect())
    }
}
