//! Proxies for tests, on free ports of 127.0.0.1: a tinyproxy, which speaks CONNECT, and a microsocks,
//! which speaks SOCKS5.

use std::ffi::OsString;
use std::io;

use crate::daemon::{DaemonError, ServerDir, is_listening, require_program, wait_for};
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// A running proxy. Dropping it stops it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    _process: ProcessGroup,
    dir: ServerDir,
    target: fn(&str) -> Option<&str>,
}

impl Proxy {
    /// Starts a tinyproxy, and waits until it listens.
    pub fn tinyproxy() -> Result<Self, DaemonError> {
        let configure = |dir: &ServerDir, port| {
            let text = format!("Port {port}\nListen 127.0.0.1\nLogLevel Connect\n");
            let file = dir.write("tinyproxy.conf", &text)?;
            Ok(vec!["-d".into(), "-c".into(), file.into()])
        };
        Self::start("tinyproxy", "tinyproxy-bin", configure, |line| {
            let (_, request) = line.split_once(": CONNECT ")?;
            request.split(' ').next()
        })
    }

    /// Starts a microsocks, and waits until it listens.
    pub fn microsocks() -> Result<Self, DaemonError> {
        let configure = |_: &ServerDir, port: u16| {
            let port = port.to_string();
            Ok(["-i", "127.0.0.1", "-p", &port]
                .map(OsString::from)
                .to_vec())
        };
        Self::start("microsocks", "microsocks", configure, |line| {
            Some(line.split_once(": connected to ")?.1)
        })
    }

    /// Starts a program of a Debian package with the arguments that `configure` returns. `target` reads
    /// the target of a tunnel from a line of its log.
    fn start(
        program: &'static str,
        package: &'static str,
        configure: impl FnOnce(&ServerDir, u16) -> io::Result<Vec<OsString>>,
        target: fn(&str) -> Option<&str>,
    ) -> Result<Self, DaemonError> {
        let path = require_program(program, package)?;
        let (dir, port) = (ServerDir::new(None)?, free_port()?);
        let mut command = dir.command(&path);
        command.args(configure(&dir, port)?);
        let is_ready = || is_listening(port);
        let process = dir.start(program, &mut command, Shutdown::Kill, is_ready)?;
        Ok(Self {
            port,
            _process: process,
            dir,
            target,
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The targets of the tunnels so far, as `HOST:PORT`, from its log. Waits up to ten seconds for this
    /// many.
    pub fn tunnels(&self, count: usize) -> io::Result<Vec<String>> {
        wait_for(count, || {
            let log = self.dir.log()?;
            let targets = log.lines().filter_map(self.target);
            Ok(targets.map(str::to_owned).collect())
        })
    }
}
