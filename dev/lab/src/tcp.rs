//! Servers on TCP ports of 127.0.0.1.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::client_hello::HelloReader;
use crate::server::{Handshake, Server};

/// How long a thread waits for bytes before it checks whether the server is stopped.
const READ_TIMEOUT: Duration = Duration::from_millis(50);

/// How long a thread waits for a client that does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// A port of 127.0.0.1 that nobody listens on, different at each call in this process.
///
/// It is below the range that the system gives to outgoing connections, so it stays free until a
/// server binds it.
pub fn free_port() -> io::Result<u16> {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    loop {
        let tried = std::process::id() * 100 + TRIED.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(12_000 + tried % 20_000).map_err(io::Error::other)?;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
}

/// What a [`TcpServer`] does with its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Behaviour {
    /// Serves them with TLS.
    #[default]
    Serve,
    /// Closes each connection when its `ClientHello` has arrived.
    CloseAfterHello,
    /// Reads and never writes.
    Silent,
    /// Answers the `ClientHello` with plain HTTP, as a port without TLS does.
    PlainText,
}

/// A [`Server`] on a free port of 127.0.0.1, with a thread for each connection. Dropping it stops
/// it.
#[derive(Debug)]
pub struct TcpServer {
    address: SocketAddr,
    listener: Arc<Listener>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread that accepts connections and those that serve them share.
#[derive(Debug)]
struct Listener {
    server: Server,
    behaviour: Behaviour,
    stopped: AtomicBool,
    connections: AtomicUsize,
    handshakes: Mutex<Vec<Handshake>>,
    handshake_done: Condvar,
}

impl TcpServer {
    /// Starts a server.
    pub fn start(server: Server) -> io::Result<Self> {
        Self::start_with(server, Behaviour::Serve)
    }

    /// Starts a server that treats connections in this way.
    pub fn start_with(server: Server, behaviour: Behaviour) -> io::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = socket.local_addr()?;
        let listener = Arc::new(Listener {
            server,
            behaviour,
            stopped: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            handshakes: Mutex::default(),
            handshake_done: Condvar::new(),
        });
        let accepting = listener.clone();
        let thread = thread::Builder::new()
            .name("lab-listener".to_owned())
            .spawn(move || accepting.listen(&socket))?;
        Ok(Self {
            address,
            listener,
            thread: Some(thread),
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The TLS server.
    pub fn server(&self) -> &Server {
        &self.listener.server
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.listener.connections.load(Ordering::SeqCst)
    }

    /// The completed handshakes, in the order of their completion.
    ///
    /// In TLS 1.3 the client completes its handshake before the server does: right after
    /// connecting, use [`wait_for_handshakes`](Self::wait_for_handshakes).
    pub fn handshakes(&self) -> Vec<Handshake> {
        self.listener.handshakes().clone()
    }

    /// Waits until `count` handshakes are completed, for `timeout` at most, and returns all of
    /// them.
    pub fn wait_for_handshakes(&self, count: usize, timeout: Duration) -> Vec<Handshake> {
        let (log, _) = self
            .listener
            .handshake_done
            .wait_timeout_while(self.listener.handshakes(), timeout, |log| log.len() < count)
            .unwrap_or_else(PoisonError::into_inner);
        log.clone()
    }
}

impl Drop for TcpServer {
    fn drop(&mut self) {
        self.listener.stopped.store(true, Ordering::SeqCst);
        // The thread blocks in `accept`: a connection makes it check the flag.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join(); // the panic hook has reported a panic
        }
    }
}

impl Listener {
    fn listen(self: Arc<Self>, socket: &TcpListener) {
        let mut threads: Vec<JoinHandle<()>> = Vec::new();
        for stream in socket.incoming() {
            if self.is_stopped() {
                break;
            }
            let Ok(stream) = stream else { continue };
            self.connections.fetch_add(1, Ordering::SeqCst);
            threads.retain(|thread| !thread.is_finished());
            let serving = self.clone();
            threads.push(thread::spawn(move || {
                // A connection that breaks is for the client to report.
                let _ = serving.handle(stream);
            }));
        }
        for thread in threads {
            let _ = thread.join();
        }
    }

    fn handle(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        stream.set_nodelay(true)?;
        match self.behaviour {
            Behaviour::Serve => self.serve(&mut stream),
            Behaviour::CloseAfterHello => self.read_hello(&mut stream),
            Behaviour::Silent => {
                while self.read(&mut stream)?.is_some() {}
                Ok(())
            }
            Behaviour::PlainText => {
                self.read_hello(&mut stream)?;
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            }
        }
    }

    fn serve(&self, stream: &mut TcpStream) -> io::Result<()> {
        let mut connection = self.server.connection();
        let mut logged = false;
        while let Some(bytes) = self.read(stream)? {
            connection.receive(&bytes);
            if let Some(handshake) = connection.facts().filter(|_| !logged) {
                logged = true;
                self.handshakes().push(handshake);
                self.handshake_done.notify_all();
            }
            if connection.client_closed() {
                connection.close();
            }
            let mut out = Vec::new();
            connection.send(&mut out);
            stream.write_all(&out)?;
            if connection.is_closed() {
                break;
            }
        }
        Ok(())
    }

    fn read_hello(&self, stream: &mut TcpStream) -> io::Result<()> {
        let mut hello = HelloReader::default();
        while hello.is_pending() {
            match self.read(stream)? {
                Some(bytes) => hello.receive(&bytes),
                None => break,
            }
        }
        Ok(())
    }

    /// The next bytes, or `None` at the end of the stream or when the server is stopped.
    fn read(&self, stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; 16 * 1024];
        while !self.is_stopped() {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    buffer.truncate(length);
                    return Ok(Some(buffer));
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn handshakes(&self) -> MutexGuard<'_, Vec<Handshake>> {
        self.handshakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
