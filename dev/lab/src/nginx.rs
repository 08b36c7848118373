//! An nginx for a test: HTTPS on a free port, with a temporary directory.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, require_program, wait_for};
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// A running nginx. Dropping it stops it.
#[derive(Debug)]
pub struct NginxServer {
    port: u16,
    _process: ProcessGroup,
    dir: ServerDir,
}

impl NginxServer {
    /// Starts a server that answers every request with `hello\n`, and waits until it listens.
    pub fn start(identity: &Identity) -> Result<Self, DaemonError> {
        Self::start_with(
            identity,
            HELLO,
            (Ipv4Addr::LOCALHOST.into(), free_port()?),
            "",
        )
    }

    /// As [`start`](Self::start), on an address of its own, with the ticket keys in a file of 48 bytes;
    /// servers with the same file accept each other's tickets.
    pub fn start_at(
        identity: &Identity,
        address: SocketAddr,
        ticket_keys: &Path,
    ) -> Result<Self, DaemonError> {
        let keys = format!("ssl_session_ticket_key {};", ticket_keys.display());
        Self::start_with(identity, HELLO, (address.ip(), address.port()), &keys)
    }

    /// Starts a server that forwards requests, of WebSocket too, to a port of 127.0.0.1.
    pub fn proxy(identity: &Identity, port: u16) -> Result<Self, DaemonError> {
        let location = format!(
            "proxy_pass http://127.0.0.1:{port};\nproxy_http_version 1.1;\n\
             proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection upgrade;"
        );
        Self::start_with(
            identity,
            &location,
            (Ipv4Addr::LOCALHOST.into(), free_port()?),
            "",
        )
    }

    fn start_with(
        identity: &Identity,
        location: &str,
        (address, port): (IpAddr, u16),
        ticket_keys: &str,
    ) -> Result<Self, DaemonError> {
        let program = require_program("nginx", "nginx")?;
        let dir = ServerDir::new(None)?;
        dir.write_identity(identity)?;
        dir.write("access.log", "")?;
        let text = CONFIGURATION
            .replace("@LOCATION@", location)
            .replace("@DIR@", &dir.path().display().to_string())
            .replace("@TICKET_KEYS@", ticket_keys)
            .replace("@ADDRESS@", &address.to_string())
            .replace("@PORT@", &port.to_string());
        let file = dir.write("nginx.conf", &text)?;
        let mut nginx = dir.command(&program);
        nginx.args(["-e", "stderr", "-c"]).arg(file);
        nginx.arg("-p").arg(dir.path());
        let shutdown = Shutdown::Signal("TERM");
        let process = dir.start("nginx", &mut nginx, shutdown, || {
            TcpStream::connect((address, port)).is_ok()
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

    /// Whether the connection of each request so far was resumed, from nginx's log. Waits up to ten
    /// seconds for this many requests.
    pub fn resumed(&self, requests: usize) -> io::Result<Vec<bool>> {
        wait_for(requests, || {
            let log = self.dir.read("access.log")?;
            Ok(log.lines().map(|line| line == "r").collect())
        })
    }
}

/// What a location answers.
const HELLO: &str = "return 200 \"hello\\n\";";

const CONFIGURATION: &str = "\
daemon off;
user www-data;
worker_processes 1;
pid @DIR@/nginx.pid;
error_log stderr;
events {
  worker_connections 512;
}
http {
  log_format resumption $ssl_session_reused;
  access_log @DIR@/access.log resumption;
  client_body_temp_path @DIR@/body;
  proxy_temp_path @DIR@/proxy;
  fastcgi_temp_path @DIR@/fastcgi;
  uwsgi_temp_path @DIR@/uwsgi;
  scgi_temp_path @DIR@/scgi;
  server {
    listen @ADDRESS@:@PORT@ ssl;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_timeout 1d;
    @TICKET_KEYS@
    ssl_certificate @DIR@/cert.pem;
    ssl_certificate_key @DIR@/key.pem;
    location / {
      @LOCATION@
    }
  }
}
";
