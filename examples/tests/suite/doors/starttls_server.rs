//! A proxy that speaks what comes before TLS, and forwards TLS to a server that does not.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What a client says before TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Before {
    /// SMTP's EHLO and STARTTLS.
    Smtp,
    /// PostgreSQL's `SSLRequest`.
    Postgres,
}

/// A server of which a client requests TLS.
#[derive(Debug)]
pub(crate) struct StartTlsServer {
    pub(crate) address: SocketAddr,
    begun: Arc<AtomicUsize>,
    /// How many connections are accepted.
    limit: Arc<AtomicUsize>,
}

impl StartTlsServer {
    /// Starts a proxy before a TLS server. It runs until the process ends.
    pub(crate) fn start(before: Before, tls: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let begun = Arc::<AtomicUsize>::default();
        let limit = Arc::new(AtomicUsize::new(usize::MAX));
        let (counted, limited) = (Arc::clone(&begun), Arc::clone(&limit));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if counted.load(Ordering::SeqCst) >= limited.load(Ordering::SeqCst) {
                    continue; // closes it
                }
                let counted = Arc::clone(&counted);
                thread::spawn(move || {
                    before.speak(&client)?;
                    counted.fetch_add(1, Ordering::SeqCst);
                    forward(&client, &TcpStream::connect(tls)?);
                    io::Result::Ok(())
                });
            }
        });
        Self {
            address,
            begun,
            limit,
        }
    }

    /// Closes connections after this many have requested TLS.
    pub(crate) fn reject_after(&self, connections: usize) {
        self.limit.store(connections, Ordering::SeqCst);
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections have requested TLS.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

impl Before {
    fn speak(self, mut client: &TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        match self {
            Self::Smtp => {
                // The client waits for each reply, so that nothing after STARTTLS is read.
                let mut lines = BufReader::new(client);
                for (reply, command) in [
                    ("220 mx\r\n", "EHLO "),
                    ("250-mx\r\n250 STARTTLS\r\n", "STARTTLS\r\n"),
                ] {
                    client.write_all(reply.as_bytes())?;
                    let mut line = String::new();
                    lines.read_line(&mut line)?;
                    assert!(line.starts_with(command), "{line}");
                }
                client.write_all(b"220 go\r\n")
            }
            Self::Postgres => {
                let mut request = [0; 8];
                client.read_exact(&mut request)?;
                assert_eq!(request, [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
                client.write_all(b"S")
            }
        }
    }
}

/// Forwards in both directions, until the server closes.
pub(crate) fn forward(client: &TcpStream, server: &TcpStream) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut &*client, &mut &*server);
            let _ = server.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut &*server, &mut &*client);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
}
