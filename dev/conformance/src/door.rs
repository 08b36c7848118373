//! The ways to make connections with one client and its store.

use std::fmt::Display;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind};
use tls_resume::generic::{self, Stream};
use tls_resume::{Backend, Error, ReadTimeout, Resumption, tokio as tasks};
use tokio::runtime;
use tokio::time::timeout;
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::backends::failure;
use crate::check::message;
use crate::client::{Client, Failure};
use crate::wire::Wire;

/// What is sent, and echoed by the server.
const DATA: [u8; 1] = [b'a'];
/// Longer than any connection takes.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A way to make connections with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The client's own blocking connections.
    Blocking,
    /// The client's own connections in tasks of tokio.
    Tasks,
    /// The client's own connections over streams of futures-io, without a runtime of tokio.
    Futures,
    /// The connections of rustls itself, with a `ClientConfig` that has the client's store.
    ClientConfig,
}

impl Door {
    /// All doors.
    pub(crate) const ALL: [Self; 4] = [
        Self::Blocking,
        Self::Tasks,
        Self::Futures,
        Self::ClientConfig,
    ];

    /// Why the client has no such door, if so.
    pub(crate) fn missing<C: Client>(self) -> Option<&'static str> {
        match self {
            Self::Blocking => None,
            Self::Tasks => C::NO_TASKS,
            Self::Futures => C::NO_FUTURES,
            Self::ClientConfig => C::NO_CLIENT_CONFIG,
        }
    }

    /// The time between two connections. With a `ClientConfig`, the store infers a failure from 200 ms
    /// without a success.
    pub(crate) fn pause(self) -> Duration {
        match self {
            Self::Blocking | Self::Tasks | Self::Futures => Duration::ZERO,
            Self::ClientConfig => Duration::from_millis(250),
        }
    }
}

fn other(error: impl Display) -> Failure {
    Failure::Other(message(error))
}

/// Sends a byte and reads its echo.
fn echo(stream: &mut (impl Read + Write)) -> Result<(), Failure> {
    stream.write_all(&DATA).map_err(other)?;
    stream.flush().map_err(other)?;
    stream.read_exact(&mut [0; DATA.len()]).map_err(other)
}

/// Ends a blocking connection after an echo.
pub(crate) fn finish<B: Backend, IO: Read + Write + ReadTimeout>(
    mut stream: Stream<B, IO>,
) -> Result<bool, Failure> {
    echo(&mut stream)?;
    stream.close().map_err(other)?;
    Ok(stream.resumption() == Resumption::Resumed)
}

/// Makes a connection in a task, over `wire` or TCP.
pub(crate) fn visit_in_task<B: tasks::Backend>(
    connector: &generic::Connector<B>,
    host: &str,
    port: u16,
    wire: Option<Wire>,
) -> Result<bool, Failure> {
    let connector = connector.tokio();
    match wire {
        Some(wire) => run(connector.connect_stream(host, port, wire)),
        None => run(connector.connect(host, port)),
    }
}

/// Runs a connection to its end, after an echo.
fn run<B: tasks::Backend, IO: tasks::AsyncIo>(
    connect: impl Future<Output = Result<tasks::Stream<B, IO>, Error>>,
) -> Result<bool, Failure> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let connection = async {
        let mut stream = connect.await.map_err(failure)?;
        stream.write_all(&DATA).await.map_err(other)?;
        stream.flush().await.map_err(other)?;
        let mut echo = [0; DATA.len()];
        stream.read_exact(&mut echo).await.map_err(other)?;
        stream.shutdown().await.map_err(other)?;
        Ok(stream.resumption() == Resumption::Resumed)
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(other)?;
    let ended = runtime.block_on(async { timeout(TIMEOUT, connection).await });
    ended.map_err(other)?
}

/// Makes a connection over `wire` as a stream of futures-io, on smol.
pub(crate) fn visit_over_futures<B: tasks::Backend>(
    connector: &generic::Connector<B>,
    host: &str,
    port: u16,
    wire: Wire,
) -> Result<bool, Failure> {
    use smol::io::{AsyncReadExt, AsyncWriteExt};

    let connector = connector.futures(smol::Timer::after);
    let connection = async {
        let connected = connector.connect_stream(host, port, wire.compat()).await;
        let mut stream = connected.map_err(failure)?;
        stream.write_all(&DATA).await.map_err(other)?;
        stream.flush().await.map_err(other)?;
        let mut echo = [0; DATA.len()];
        stream.read_exact(&mut echo).await.map_err(other)?;
        stream.close().await.map_err(other)?;
        Ok(stream.resumption() == Resumption::Resumed)
    };
    let late = async {
        smol::Timer::after(TIMEOUT).await;
        Err(Failure::Other(format!("no end within {TIMEOUT:?}")))
    };
    smol::block_on(smol::future::or(connection, late))
}

/// Makes a connection by rustls itself.
pub(crate) fn visit_by_rustls(
    config: ClientConfig,
    host: &str,
    mut wire: Wire,
) -> Result<bool, Failure> {
    let name = ServerName::try_from(host.to_owned()).map_err(other)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(other)?;
    echo(&mut rustls::Stream::new(&mut connection, &mut wire))?;
    connection.send_close_notify();
    connection.complete_io(&mut wire).map_err(other)?;
    Ok(connection.handshake_kind() == Some(HandshakeKind::Resumed))
}
