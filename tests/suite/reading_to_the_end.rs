//! A server that reads TCP to its end, and so notices a reset.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use lab::server::Server;

use crate::servers::LONG;

/// A server of one connection.
pub(crate) struct ReadingToTheEnd {
    port: u16,
    handshake_answered: Receiver<()>,
    dropped: Sender<()>,
    thread: JoinHandle<io::Result<Vec<u8>>>,
}

impl ReadingToTheEnd {
    pub(crate) fn start(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let mut connection = server.connection().without_echo();
        let (answered, handshake_answered) = channel();
        let (dropped, client_dropped) = channel();
        let thread = thread::spawn(move || {
            let (mut tcp, _) = listener.accept()?;
            tcp.set_read_timeout(Some(LONG))?;
            let (mut data, mut buffer) = (Vec::new(), [0; 16 * 1024]);
            loop {
                match tcp.read(&mut buffer)? {
                    0 => {
                        let _ = client_dropped.recv_timeout(LONG);
                        // Also a reset after the end, which no read reports.
                        return tcp.take_error()?.map_or(Ok(data), Err);
                    }
                    length => connection.receive(&buffer[..length]),
                }
                data.append(&mut connection.received());
                let mut out = Vec::new();
                connection.send(&mut out);
                tcp.write_all(&out)?;
                if connection.facts().is_some() {
                    let _ = answered.send(());
                }
            }
        });
        Self {
            port,
            handshake_answered,
            dropped,
            thread,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until the tickets are with the client's system.
    pub(crate) fn wait_for_the_tickets(&self) {
        self.handshake_answered
            .recv_timeout(LONG)
            .expect("a handshake");
    }

    /// What the client sent until TCP ended. An error if it ended by a reset. To be called after the client
    /// is dropped.
    pub(crate) fn received(self) -> io::Result<Vec<u8>> {
        let _ = self.dropped.send(()); // fails if the server has seen a reset
        self.thread.join().expect("no panic")
    }
}
