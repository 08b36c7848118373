//! TCP proxies before servers: another address, a balancer, STARTTLS.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// What comes before a client is forwarded; an error ends its connection.
pub(crate) type Greeting = fn(&mut TcpStream) -> io::Result<()>;

/// A proxy that forwards connections to servers on this machine, to each in turn.
pub(crate) struct Front {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Front {
    /// A balancer on a free port.
    pub(crate) fn new(ports: &[u16]) -> Self {
        Self::start((Ipv4Addr::LOCALHOST, 0).into(), ports, |_| Ok(()))
    }

    /// A proxy that does this before it forwards a client.
    pub(crate) fn with_greeting(port: u16, greet: Greeting) -> Self {
        Self::start((Ipv4Addr::LOCALHOST, 0).into(), &[port], greet)
    }

    /// A proxy at this address.
    pub(crate) fn at(address: SocketAddr, ports: &[u16]) -> Self {
        Self::start(address, ports, |_| Ok(()))
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    fn start(address: SocketAddr, ports: &[u16], greet: Greeting) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let (stop, ports) = (Arc::clone(&stopped), ports.to_vec());
        let thread = thread::spawn(move || {
            for (client, port) in listener.incoming().zip(ports.iter().cycle()) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let port = *port;
                // Errors are the client's to notice.
                thread::spawn(move || client.and_then(|client| forward(client, port, greet)));
            }
        });
        Self {
            address,
            stopped,
            thread: Some(thread),
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

fn forward(mut client: TcpStream, port: u16, greet: Greeting) -> io::Result<()> {
    client.set_nodelay(true)?;
    greet(&mut client)?;
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    server.set_nodelay(true)?;
    let (from_server, to_client) = (server.try_clone()?, client.try_clone()?);
    let back = thread::spawn(move || copy(from_server, to_client));
    copy(client, server);
    let _ = back.join();
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 4_096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Reads a line from the client.
pub(crate) fn read_line(client: &mut TcpStream) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\n") {
        client.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}
