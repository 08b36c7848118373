//! A Prometheus for a test, on a free port of 127.0.0.1, with a temporary directory.
//!
//! ```no_run
//! use lab::prometheus::Prometheus;
//!
//! let prometheus = Prometheus::start("127.0.0.1:9464", "alerts.yml".as_ref())?;
//! println!("{}/api/v1/query?query=up", prometheus.url());
//! # Ok::<(), lab::daemon::DaemonError>(())
//! ```

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;

use crate::daemon::{DaemonError, ServerDir, require_program};
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// A running Prometheus. Dropping it stops it.
#[derive(Debug)]
pub struct Prometheus {
    port: u16,
    _process: ProcessGroup,
    _dir: ServerDir,
}

impl Prometheus {
    /// Starts one that reads the metrics of `target`, a host and a port, five times a second, and
    /// evaluates the rules of a file.
    pub fn start(target: &str, rules: &Path) -> Result<Self, DaemonError> {
        let program = require_program("prometheus", "prometheus")?;
        let dir = ServerDir::new(None)?;
        let port = free_port()?;
        let rules = rules.canonicalize()?;
        let config = format!(
            "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms }}\n\
             rule_files: [\"{}\"]\n\
             scrape_configs:\n  - job_name: test\n    static_configs: [{{ targets: [{target:?}] }}]\n",
            rules.display(),
        );
        let config = dir.write("prometheus.yml", &config)?;
        let mut prometheus = dir.command(&program);
        prometheus
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let shutdown = Shutdown::Signal("KILL");
        let is_ready = || is_ready(port).unwrap_or(false);
        let process = dir.start("prometheus", &mut prometheus, shutdown, is_ready)?;
        Ok(Self {
            port,
            _process: process,
            _dir: dir,
        })
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Whether it answers queries: it listens before.
fn is_ready(port: u16) -> io::Result<bool> {
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    tcp.write_all(b"GET /-/ready HTTP/1.0\r\n\r\n")?;
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.0 200"))
}
