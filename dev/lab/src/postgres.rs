//! A PostgreSQL server for a test, and a `PgBouncer` in front of it: on free ports of 127.0.0.1, with
//! temporary directories.
//!
//! ```no_run
//! use lab::certificate::{Authority, KeyKind};
//! use lab::postgres::{PgBouncer, PostgresServer};
//!
//! let identity = Authority::new(KeyKind::EcdsaP256).issue(&["localhost"]);
//! let postgres = PostgresServer::start(&identity)?;
//! let pgbouncer = PgBouncer::start(&postgres, &identity)?;
//! println!("{}, or {}", postgres.port(), pgbouncer.port());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, is_listening, require_program};
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// The only user.
pub const USER: &str = "postgres";
/// The password of [`USER`], who authenticates by SCRAM.
pub const PASSWORD: &str = "opensesame";

/// A running PostgreSQL with TLS and otherwise default settings. Dropping it stops it.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    port: u16,
    process: ProcessGroup,
    dir: ServerDir,
}

impl PostgresServer {
    /// Starts a server, and waits until it answers.
    pub fn start(identity: &Identity) -> Result<Self, DaemonError> {
        let programs = programs()?;
        let dir = ServerDir::new(Some("postgres"))?;
        let password = dir.write("password", PASSWORD)?;
        let initdb = dir
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
            .arg(dir.join("data"))
            .stderr(Stdio::piped())
            .output()?;
        if !initdb.status.success() {
            return Err(DaemonError::NotStarted {
                program: "initdb",
                output: String::from_utf8_lossy(&initdb.stderr).into_owned(),
            });
        }
        let port = free_port()?;
        dir.write_identity(identity)?;
        let process = run(&programs, &dir, port)?;
        Ok(Self {
            programs,
            port,
            process,
            dir,
        })
    }

    /// Restarts it with another certificate chain and key, as PEM text.
    pub fn restart(&mut self, chain_pem: &str, key_pem: &str) -> Result<(), DaemonError> {
        self.process.end();
        self.dir.write("cert.pem", chain_pem)?;
        self.dir.write("key.pem", key_pem)?;
        self.process = run(&self.programs, &self.dir, self.port)?;
        Ok(())
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn run(programs: &Path, dir: &ServerDir, port: u16) -> Result<ProcessGroup, DaemonError> {
    let path = dir.path().display();
    let mut postgres = dir.command(&programs.join("postgres"));
    postgres.arg("-D").arg(dir.join("data"));
    for setting in [
        format!("port={port}"),
        format!("ssl_cert_file={path}/cert.pem"),
        format!("ssl_key_file={path}/key.pem"),
        "ssl=on".to_owned(),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        "fsync=off".to_owned(),
    ] {
        postgres.args(["-c", &setting]);
    }
    let is_ready = || {
        let mut pg_isready = dir.command(&programs.join("pg_isready"));
        let status = pg_isready
            .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
            .status();
        status.is_ok_and(|status| status.success())
    };
    // SIGQUIT is the immediate shutdown, which does not wait for clients.
    let shutdown = Shutdown::Signal("QUIT");
    dir.start("postgres", &mut postgres, shutdown, is_ready)
}

/// The programs of the newest installed version. Debian does not put them into `PATH`.
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

/// A running `PgBouncer`, which terminates TLS in front of a PostgreSQL. Dropping it stops it.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    _process: ProcessGroup,
    _dir: ServerDir,
}

impl PgBouncer {
    /// Starts one, which authenticates to the PostgreSQL itself and accepts any client.
    pub fn start(postgres: &PostgresServer, identity: &Identity) -> Result<Self, DaemonError> {
        let program = require_program("pgbouncer", "pgbouncer")?;
        let dir = ServerDir::new(Some("postgres"))?;
        dir.write_identity(identity)?;
        let port = free_port()?;
        let configuration = format!(
            "[databases]\n\
             * = host=127.0.0.1 port={postgres_port} user={USER} password={PASSWORD}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\nclient_tls_sslmode = require\n\
             client_tls_cert_file = {path}/cert.pem\nclient_tls_key_file = {path}/key.pem\n",
            path = dir.path().display(),
            postgres_port = postgres.port,
        );
        let file = dir.write("pgbouncer.ini", &configuration)?;
        let mut pgbouncer = dir.command(&program);
        let is_ready = || is_listening(port);
        let process = dir.start("pgbouncer", pgbouncer.arg(file), Shutdown::Kill, is_ready)?;
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
