//! An nginx for a test: HTTPS on a free port of 127.0.0.1, with a temporary directory.

use std::io;

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, is_listening, require_program, wait_for};
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
        Self::start_with(identity, "return 200 \"hello\\n\";")
    }

    /// Starts a server that forwards requests, of WebSocket too, to a port of 127.0.0.1.
    pub fn proxy(identity: &Identity, port: u16) -> Result<Self, DaemonError> {
        let location = format!(
            "proxy_pass http://127.0.0.1:{port};\nproxy_http_version 1.1;\n\
             proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection upgrade;"
        );
        Self::start_with(identity, &location)
    }

    fn start_with(identity: &Identity, location: &str) -> Result<Self, DaemonError> {
        let program = require_program("nginx", "nginx")?;
        let port = free_port()?;
        let dir = ServerDir::new(None)?;
        dir.write_identity(identity)?;
        dir.write("access.log", "")?;
        let text = CONFIGURATION
            .replace("@LOCATION@", location)
            .replace("@DIR@", &dir.path().display().to_string())
            .replace("@PORT@", &port.to_string());
        let file = dir.write("nginx.conf", &text)?;
        let mut nginx = dir.command(&program);
        nginx.args(["-e", "stderr", "-c"]).arg(file);
        nginx.arg("-p").arg(dir.path());
        let shutdown = Shutdown::Signal("TERM");
        let process = dir.start("nginx", &mut nginx, shutdown, || is_listening(port))?;
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
    listen 127.0.0.1:@PORT@ ssl;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_timeout 1d;
    ssl_certificate @DIR@/cert.pem;
    ssl_certificate_key @DIR@/key.pem;
    location / {
      @LOCATION@
    }
  }
}
";
