//! A TCP proxy that injects a fault into what the server sends.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::injector::{Fault, Injector};
use super::records;

/// A TCP proxy on a port of 127.0.0.1 before any server. Dropping it closes the port.
///
/// Faults begin with the client's first TLS record: what comes before it, such as STARTTLS, is
/// forwarded.
#[derive(Debug)]
pub struct FaultyProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    server: Mutex<SocketAddr>,
    /// The fault of new connections, and whether only resumptions have it.
    fault: Mutex<(Fault, bool)>,
    connections: AtomicUsize,
    stopped: AtomicBool,
}

impl FaultyProxy {
    /// Starts a proxy before a server, without a fault.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        Self::start_on(0, server)
    }

    /// Starts a proxy on this port: one that an earlier proxy had, or 0 for a free one.
    pub fn start_on(port: u16, server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            fault: Mutex::new((Fault::None, false)),
            connections: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        let thread = thread::spawn(move || accepting.listen(&listener));
        Ok(Self {
            address,
            shared,
            thread: Some(thread),
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Forwards new connections to another server.
    pub fn set_server(&self, server: SocketAddr) {
        *lock(&self.shared.server) = server;
    }

    /// Gives new connections this fault; [`Fault::None`] forwards everything.
    pub fn set_fault(&self, fault: Fault) {
        *lock(&self.shared.fault) = (fault, false);
    }

    /// Gives new connections this fault if the client offers a session.
    pub fn set_fault_on_resumption(&self, fault: Fault) {
        *lock(&self.shared.fault) = (fault, true);
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // The thread blocks in `accept`: a connection makes it check the flag.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join(); // the panic hook has reported a panic
        }
    }
}

impl Shared {
    fn listen(&self, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            self.connections.fetch_add(1, Ordering::SeqCst);
            let (fault, only_resumption) = *lock(&self.fault);
            let injector = if only_resumption {
                Injector::on_resumption(fault)
            } else {
                Injector::new(fault)
            };
            if let Ok(client) = client {
                // A connection that breaks is for the client to report.
                let _ = forward(client, *lock(&self.server), injector);
            }
        }
    }
}

/// The injector of a connection, once it speaks TLS.
#[derive(Debug)]
struct Faults {
    injector: Injector,
    has_begun: bool,
}

/// Forwards a connection in both directions, until either side closes.
fn forward(client: TcpStream, server: SocketAddr, injector: Injector) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let faults = Arc::new(Mutex::new(Faults {
        injector,
        has_begun: false,
    }));
    let (client_too, server_too) = (client.try_clone()?, server.try_clone()?);
    let both = Arc::clone(&faults);
    thread::spawn(move || {
        if let Ok(End::Direction) = from_client(&client, &server, &faults) {
            let _ = server.shutdown(Shutdown::Write);
        } else {
            let _ = server.shutdown(Shutdown::Both);
            let _ = client.shutdown(Shutdown::Both);
        }
    });
    thread::spawn(move || {
        let ended = from_server(&client_too, &server_too, &both);
        if !matches!(ended, Ok(End::Direction)) {
            let _ = client_too.shutdown(Shutdown::Both);
            let _ = server_too.shutdown(Shutdown::Both);
        }
    });
    Ok(())
}

/// What ends when a side has sent everything.
enum End {
    /// The connection, for both.
    Connection,
    /// What this side sends.
    Direction,
}

fn from_client(
    mut client: &TcpStream,
    mut server: &TcpStream,
    faults: &Mutex<Faults>,
) -> io::Result<End> {
    let mut bytes = [0; 16 * 1024];
    let mut written = Vec::new();
    loop {
        let length = client.read(&mut bytes)?;
        if length == 0 && lock(faults).injector.is_silent() {
            return Ok(End::Connection);
        }
        if length == 0 {
            return Ok(End::Direction);
        }
        written.extend_from_slice(&bytes[..length]);
        let mut faults = lock(faults);
        faults.has_begun |= written.starts_with(&[records::HANDSHAKE, 3]);
        let received = if faults.has_begun {
            let whole: Vec<u8> = written.drain(..records::whole(&written)).collect();
            faults.injector.client_sent(&whole)
        } else {
            std::mem::take(&mut written)
        };
        let has_ended = faults.injector.has_ended();
        drop(faults);
        if has_ended {
            return Ok(End::Connection);
        }
        server.write_all(&received)?;
    }
}

fn from_server(
    mut client: &TcpStream,
    mut server: &TcpStream,
    faults: &Mutex<Faults>,
) -> io::Result<End> {
    let mut bytes = [0; 16 * 1024];
    let mut received = Vec::new();
    loop {
        let length = server.read(&mut bytes)?;
        let mut faults = lock(faults);
        if length == 0 {
            // The client does not see the end of a server that is silent.
            return Ok(if faults.injector.is_silent() {
                End::Direction
            } else {
                End::Connection
            });
        }
        received.extend_from_slice(&bytes[..length]);
        let sent = if faults.has_begun {
            let whole: Vec<u8> = received.drain(..records::whole(&received)).collect();
            faults.injector.inject(&whole, None)
        } else {
            std::mem::take(&mut received)
        };
        let has_ended = faults.injector.has_ended();
        drop(faults);
        client.write_all(&sent)?;
        if has_ended {
            return Ok(End::Connection);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
