//! Proxies for tests, on free ports of 127.0.0.1: a tinyproxy, which speaks CONNECT, and a microsocks,
//! which speaks SOCKS5.

use std::io;

use crate::daemon::{DaemonError, ServerDir, is_listening, require_program, wait_for};
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// A running tinyproxy. Dropping it stops it.
#[derive(Debug)]
pub struct Tinyproxy {
    port: u16,
    _process: ProcessGroup,
    dir: ServerDir,
}

impl Tinyproxy {
    /// Starts one, and waits until it listens.
    pub fn start() -> Result<Self, DaemonError> {
        let program = require_program("tinyproxy", "tinyproxy-bin")?;
        let (dir, port) = (ServerDir::new(None)?, free_port()?);
        let configuration = format!("Port {port}\nListen 127.0.0.1\nLogLevel Connect\n");
        let file = dir.write("tinyproxy.conf", &configuration)?;
        let mut tinyproxy = dir.command(&program);
        tinyproxy.args(["-d", "-c"]).arg(file);
        let is_ready = || is_listening(port);
        let process = dir.start("tinyproxy", &mut tinyproxy, Shutdown::Kill, is_ready)?;
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

    /// The targets of the tunnels so far, as `HOST:PORT`, from its log. Waits up to ten seconds for this
    /// many.
    pub fn tunnels(&self, count: usize) -> io::Result<Vec<String>> {
        wait_for(count, || {
            let log = self.dir.log()?;
            let target = |line: &str| {
                let (_, request) = line.split_once(": CONNECT ")?;
                request.split(' ').next().map(str::to_owned)
            };
            Ok(log.lines().filter_map(target).collect())
        })
    }
}

/// A running microsocks. Dropping it stops it.
#[derive(Debug)]
pub struct Microsocks {
    port: u16,
    _process: ProcessGroup,
    dir: ServerDir,
}

impl Microsocks {
    /// Starts one, and waits until it listens.
    pub fn start() -> Result<Self, DaemonError> {
        let program = require_program("microsocks", "microsocks")?;
        let (dir, port) = (ServerDir::new(None)?, free_port()?);
        let mut microsocks = dir.command(&program);
        microsocks.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
        let is_ready = || is_listening(port);
        let process = dir.start("microsocks", &mut microsocks, Shutdown::Kill, is_ready)?;
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

    /// The targets of the connections so far, as `HOST:PORT`, from its log. Waits up to ten seconds for
    /// this many.
    pub fn tunnels(&self, count: usize) -> io::Result<Vec<String>> {
        wait_for(count, || {
            let log = self.dir.log()?;
            let target = |line: &str| Some(line.split_once(": connected to ")?.1.to_owned());
            Ok(log.lines().filter_map(target).collect())
        })
    }
}
