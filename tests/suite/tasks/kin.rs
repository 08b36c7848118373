//! R37: connections that resume the session of one given connection, and no other.

use tls_resume::tokio::{Backend, Connector, Stream};
use tls_resume::{ConnectOptions, ErrorKind, Resumption};
use tokio::net::TcpStream;

use super::clients::{client, servers, talk};
use crate::servers::HOST;

async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.expect("TCP")
}

/// A connection that keeps its session, and has read what the server sent.
async fn control<B: Backend>(client: &Connector<B>, port: u16) -> Stream<B, TcpStream> {
    let keep = ConnectOptions::new().keep_session(true);
    let connected = client.connect_stream_with(HOST, port, connect(port).await, &keep);
    let mut stream = connected.await.expect("a connection");
    talk(&mut stream).await;
    stream
}

/// Two connections with three kin each, in turn, and one by a handle when they have ended.
pub(crate) async fn kin_resume_their_own_connection<B: Backend>() {
    for (version, server) in servers() {
        let (client, port) = (client::<B>(), server.port());
        let controls = [control(&client, port).await, control(&client, port).await];
        for _ in 0..3 {
            for one in &controls {
                let connected = client.connect_stream_resuming(one, connect(port).await);
                let mut stream = connected.await.expect("a connection");
                talk(&mut stream).await;
                assert_eq!(stream.resumption(), Resumption::Resumed, "{version}");
            }
        }
        let handle = client.resuming(&controls[0]).expect("it keeps its session");
        drop(controls);
        let last = handle.connect(HOST, port).await.expect("a connection");
        assert_eq!(last.resumption(), Resumption::Resumed, "{version}");
        let stats = client.blocking().stats();
        assert_eq!((stats.sessions, stats.taken, stats.copied), (0, 0, 0));
        let error = client.resuming(&last).expect_err("it keeps no session");
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}
