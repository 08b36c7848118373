//! A `RabbitMQ` for a test: AMQP over TLS on a free port of 127.0.0.1, with temporary directories. It
//! takes ten seconds or more to start.

use std::process::Command;

use crate::certificate::Identity;
use crate::daemon::{DaemonError, ServerDir, is_listening, require_program};
use crate::process_group::{ProcessGroup, Shutdown};
use crate::tcp::free_port;

/// A running `RabbitMQ`, with the user `guest` and the password `guest`. Dropping it stops it.
#[derive(Debug)]
pub struct RabbitMqServer {
    port: u16,
    _server: ProcessGroup,
    /// Erlang's port mapper, which the server would leave running.
    _epmd: ProcessGroup,
    _dir: ServerDir,
}

impl RabbitMqServer {
    /// Starts a server, and waits until it listens. Erlang keeps TLS 1.2 sessions, and issues no TLS
    /// 1.3 tickets unless it is told to.
    pub fn start(identity: &Identity) -> Result<Self, DaemonError> {
        // The program in the path would change the user.
        require_program("rabbitmq-server", "rabbitmq-server")?;
        let program = "/usr/lib/rabbitmq/bin/rabbitmq-server";
        let epmd = require_program("epmd", "erlang-base")?;
        let (port, epmd_port, node_port) = (free_port()?, free_port()?, free_port()?);
        let dir = ServerDir::new(None)?;
        dir.write_identity(identity)?;
        let mut mapper = dir.command(&epmd);
        mapper.args(["-address", "127.0.0.1", "-port", &epmd_port.to_string()]);
        let shutdown = Shutdown::Signal("TERM");
        let epmd = dir.start("epmd", &mut mapper, shutdown, || is_listening(epmd_port))?;

        let path = dir.path().display().to_string();
        let configuration = format!(
            "[{{rabbit, [{{tcp_listeners, []}}, {{ssl_listeners, [{{\"127.0.0.1\", {port}}}]}},\n\
             {{ssl_options, [{{certfile, \"{path}/cert.pem\"}}, {{keyfile, \"{path}/key.pem\"}},\n\
             {{versions, ['tlsv1.3', 'tlsv1.2']}}]}}]}}].\n"
        );
        let configuration = dir.write("advanced.config", &configuration)?;
        let mut server = dir.command(program.as_ref());
        let set = |server: &mut Command, name: &str, file: &str| {
            server.env(name, dir.join(file));
        };
        set(&mut server, "HOME", "");
        set(&mut server, "RABBITMQ_MNESIA_BASE", "data");
        set(&mut server, "RABBITMQ_LOG_BASE", "logs");
        set(&mut server, "RABBITMQ_CONFIG_FILE", "rabbitmq");
        set(&mut server, "RABBITMQ_ENABLED_PLUGINS_FILE", "plugins");
        server.env("RABBITMQ_ADVANCED_CONFIG_FILE", configuration);
        server.env("RABBITMQ_NODENAME", "rabbit@localhost");
        server.env("RABBITMQ_DIST_PORT", node_port.to_string());
        server.env("ERL_EPMD_PORT", epmd_port.to_string());
        let is_ready = || is_listening(port);
        let server = dir.start("rabbitmq-server", &mut server, shutdown, is_ready)?;
        Ok(Self {
            port,
            _server: server,
            _epmd: epmd,
            _dir: dir,
        })
    }

    /// The port of AMQP over TLS.
    pub fn port(&self) -> u16 {
        self.port
    }
}
